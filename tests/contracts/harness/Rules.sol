// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Merkle} from "src/Merkle.sol";
import {RuleJudge} from "src/RuleJudge.sol";
import {Rules} from "src/Rules.sol";
import {StateJudge} from "src/StateJudge.sol";
import {Law} from "src/TaskTypes.sol";

/// @title The rules, callable, each with the gas that it took.
contract RulesHarness {
    function model(Law calldata law, uint256 weight, bytes calldata old, bytes calldata from)
        external
        view
        returns (bytes memory made, uint256 gas)
    {
        Law memory copy = law;
        gas = gasleft();
        made = Rules.model(copy, weight, old, from);
        gas -= gasleft();
    }

    function momentum(Law calldata law, uint256 weight, bytes calldata kept, bytes calldata sum)
        external
        view
        returns (bytes memory made, uint256 gas)
    {
        Law memory copy = law;
        gas = gasleft();
        made = Rules.momentum(copy, weight, kept, sum);
        gas -= gasleft();
    }

    function root(Law calldata law, uint256 weight, bytes calldata kept, bytes calldata sum)
        external
        view
        returns (bytes memory made, uint256 gas)
    {
        Law memory copy = law;
        gas = gasleft();
        made = Rules.root(copy, weight, kept, sum);
        gas -= gasleft();
    }
}

/// @title The part of Merkle that the judges of the rule use, callable.
contract MerkleHarness {
    function stands(
        bytes32 root,
        bytes32 hash,
        uint256 depth,
        uint256 index,
        uint256 count,
        bytes32[] calldata siblings
    ) external view returns (bool) {
        return Merkle.stands(root, hash, depth, index, count, siblings);
    }

    function node(bytes32 left, bytes32 right) external pure returns (bytes32) {
        return Merkle.node(left, right);
    }
}

/// @title The judge of the new model.
contract RuleJudgeAlone is RuleJudge {}

/// @title The judge of the new state.
contract StateJudgeAlone is StateJudge {}
