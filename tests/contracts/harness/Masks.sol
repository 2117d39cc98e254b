// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChaCha20} from "src/ChaCha20.sol";

/// @title The keystream that a seed stands for, callable.
contract Masks {
    function keystream(bytes32 key, uint256 chunk, bool negated) external pure returns (bytes memory) {
        return ChaCha20.keystream(key, chunk, negated);
    }
}
