// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VM} from "./Cheats.sol";
import {PlayedCourt, PlayedFactory, PlayedTask} from "./Faces.sol";
import {StakeVault} from "src/StakeVault.sol";
import {Finality, Law, Params} from "src/TaskTypes.sol";

/// @title A whole deployment, made of the committed artifacts, and the cast of a play.
abstract contract Stage {
    uint256 internal constant MEMBERS = 6;
    /// @dev Members below are honest, those from here on are not: too few for a quorum of any committee.
    uint256 internal constant HONEST = 4;
    bytes32 internal constant TERMS = keccak256("terms");
    bytes32 internal constant BASE = keccak256("base model");
    bytes32 internal constant GENESIS = keccak256("genesis");
    uint96 internal constant STAKE = 1e15;
    uint96 internal constant BOND = 5e14;
    uint96 internal constant POOL = 4e18;
    uint32 internal constant MAX_PAUSE = 30 days;

    address internal constant TREASURY = address(0x7ea5);
    address internal constant GUARDIAN = address(0x6a4d);
    address internal constant SPONSOR = address(0x5b05);
    address internal constant GRIEFER = address(0x64ef);

    PlayedFactory internal immutable FACTORY;
    StakeVault internal immutable VAULT;
    PlayedCourt internal immutable COURT;
    address internal immutable SETS_JUDGE;
    address internal immutable STATE_JUDGE;
    address internal immutable TOTAL_JUDGE;
    address internal immutable WEIGHT_JUDGE;
    address internal immutable PAYOUT_JUDGE;
    Finality internal immutable FINALITY;

    PlayedTask internal task;
    address[MEMBERS] private _members;
    uint256 private _time;
    uint256 private _height;

    constructor(Finality finality) {
        FINALITY = finality;
        (_time, _height) = (1_800_000_000, 1_000);
        _setClock();
        address[] memory judges = new address[](5);
        judges[0] = SETS_JUDGE = _deploy("SetsJudge", "");
        judges[1] = STATE_JUDGE = _deploy("StateJudge", "");
        judges[2] = TOTAL_JUDGE = _deploy("TotalJudge", "");
        judges[3] = WEIGHT_JUDGE = _deploy("WeightJudge", "");
        judges[4] = PAYOUT_JUDGE = _deploy("PayoutJudge", "");
        COURT = PlayedCourt(_deploy("Court", abi.encode(judges, GENESIS)));
        FACTORY = PlayedFactory(_deploy("TaskFactory", abi.encode(TREASURY, address(this), GUARDIAN)));
        VAULT = FACTORY.VAULT();
        address forwarder = _deploy("ERC2771Forwarder", abi.encode("Foedus"));
        address annex = _deploy("TaskAnnex", abi.encode(FACTORY, VAULT, COURT, forwarder));
        FACTORY.setImplementation(_deploy("Task", abi.encode(FACTORY, VAULT, COURT, forwarder, annex)));
        for (uint256 who = 0; who < MEMBERS; ++who) {
            _members[who] = VM.addr(_key(who));
            VM.deal(_members[who], 1e24);
        }
        VM.deal(GRIEFER, 1e24);
        VM.deal(SPONSOR, 1e24);
        _create();
    }

    function _create() internal {
        VM.prank(SPONSOR);
        task = PlayedTask(FACTORY.createTask{value: POOL}(TERMS, keccak256(abi.encode(_law())), BASE, _params()));
    }

    function _params() internal view returns (Params memory made) {
        (made.rounds, made.minParticipants, made.maxParticipants, made.minSurvivors) = (4, 3, uint16(MEMBERS), 2);
        (made.epochRounds, made.maxAttempts) = (2, 3);
        (made.enrolSeconds, made.commitSeconds, made.freezeSeconds) = (600, 500, 400);
        (made.rankSeconds, made.stallSeconds, made.attestSeconds) = (100, 3_000, 1_000);
        (made.answerSeconds, made.unbondSeconds) = (20, 4_000);
        (made.stake, made.bond, made.challengerShare) = (STAKE, BOND, 3_000);
        (made.finality, made.ahead, made.open) = (FINALITY, _isOptimistic() ? 2 : 0, true);
    }

    function _law() internal pure returns (Law memory made) {
        (made.chunks, made.groupSize, made.maxValue, made.maxWeight) = (1, uint16(MEMBERS), 1_000, 10);
        (made.survivorsShare, made.aggregatorShare, made.attestersShare) = (6_000, 1_000, 2_000);
    }

    function _isOptimistic() internal view returns (bool) {
        return FINALITY == Finality.OPTIMISTIC;
    }

    function _key(uint256 who) internal pure returns (uint256) {
        return 1_000 + who;
    }

    function _account(uint256 who) internal view returns (address) {
        return _members[who];
    }

    /// @dev Blocks come every two seconds.
    function _wait(uint256 spent) internal virtual {
        _time += spent;
        _height += spent / 2 + 1;
        _setClock();
    }

    /// @dev Forge's clock is not turned back where a call reverts: storage is, so every call sets the one by the other.
    function _setClock() internal {
        VM.warp(_time);
        VM.roll(_height);
    }

    function _deploy(string memory name, bytes memory arguments) private returns (address made) {
        bytes memory code = bytes.concat(VM.getCode(string.concat("abi/", name, ".json")), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        require(made != address(0), name);
    }
}
