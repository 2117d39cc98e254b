// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stage} from "./Stage.sol";
import {History} from "src/History.sol";
import {Case, Committed} from "src/Judge.sol";
import {Slot} from "src/Slot.sol";
import {Claim, Commitment, Phase, Position} from "src/TaskTypes.sol";

/// @notice What is wrong with a claim.
enum Lie {
    NONE,
    SETS, // its groups are no set
    STATE, // a state where the rule keeps none
    TOTAL, // a weight that its sums do not have
    WEIGHT, // sums whose weight no survivors have
    PAYOUT_TOTAL,
    PAYOUT_LEAF, // a payee that nobody is
    HIDDEN // a model that nobody can show
}

/// @notice A claim, and what its author knows of it.
struct Entry {
    bytes32 before;
    bytes32 name;
    bytes claim; // encoded
    Lie lie;
    uint256 author;
    uint256 bornAt; // by the task's clock
    uint256 convictions; // of its author, before
    uint32 weight; // that its sums have
    bytes survivors;
    bytes signers;
    uint256[8] owed; // by payee
}

/// @title What is remembered of a task, and the laws that every step of it is held against.
abstract contract Chronicle is Stage {
    /// @dev Which law was broken first; empty where none was.
    string internal broken;
    Entry[] internal chain; // claims that stand, and last of all the one that awaits a quorum
    bytes internal survivors; // of the freeze last told of
    bytes internal signers;
    Slot private _seen;
    uint32 private _seenFinal;
    Phase private _pausedIn;
    mapping(bytes32 base => bool) private _frozenOn;
    mapping(address task => mapping(address account => bytes[])) private _made;
    mapping(address task => mapping(address account => bytes24[])) private _digests;
    mapping(address task => mapping(uint256 opening => address[8])) internal seated;
    mapping(address account => uint256) internal convictions;
    mapping(address account => uint256) internal put; // wei that it has in the vault by its own deposits

    /// @dev Notes a law that is broken, without undoing the step that broke it.
    function _hold(bool holds, string memory law) internal {
        if (!holds && bytes(broken).length == 0) broken = law;
    }

    /// @dev Looks at the task after a step.
    /// @param convicted whether the step convicted an aggregator.
    function _watch(bool convicted) internal {
        Slot memory now_ = task.slot();
        uint32 finals = task.book().finalRounds;
        Slot memory was = _seen;
        _hold(now_.opening >= was.opening && now_.epoch >= was.epoch, "openings and epochs only grow");
        _hold(finals >= _seenFinal, "what is final stays");
        _hold(was.phase != Phase.ENDED || now_.phase == Phase.ENDED, "what is over stays over");
        if (now_.round < was.round) {
            _hold(convicted && _isOptimistic() && now_.round > finals, "only a conviction brings a pending round back");
        } else if (now_.round == was.round && now_.attempt == was.attempt && now_.opening == was.opening) {
            bool again = now_.phase == Phase.AGGREGATE && was.phase == Phase.ATTEST;
            // OPTIMISTIC: there the next round waits until there is room for it.
            again = again || (_isOptimistic() && was.phase == Phase.ATTEST);
            bool paused = now_.phase == Phase.PAUSED || was.phase == Phase.PAUSED;
            _hold(paused || again || convicted || now_.phase >= was.phase, "phases of an attempt only go forward");
        }
        if (now_.phase == Phase.PAUSED && was.phase != Phase.PAUSED) _pausedIn = was.phase;
        if (was.phase == Phase.PAUSED && now_.phase != Phase.PAUSED) {
            _hold(now_.phase == _pausedIn, "a pause ends where it began");
        }
        if (was.phase == Phase.FREEZE && now_.phase == Phase.AGGREGATE) _watchFreeze(now_);
        (_seen, _seenFinal) = (now_, finals);
        _follow();
    }

    /// @dev Forgets the task, for another.
    function _forget() internal {
        delete chain;
        delete _seen;
        delete _seenFinal;
    }

    function _remember(address account, Commitment memory made, bytes24 before) internal {
        _made[address(task)][account].push(abi.encode(made));
        _digests[address(task)][account].push(before);
        seated[address(task)][made.opening][Position.unwrap(made.position)] = account;
    }

    /// @dev What an account committed in an opening, with all it committed since.
    function _committed(address account, uint32 opening) internal view returns (Committed memory shown) {
        bytes[] storage all = _made[address(task)][account];
        for (uint256 next = all.length; next > 0; --next) {
            uint256 i = next - 1;
            Commitment memory made = abi.decode(all[i], (Commitment));
            if (made.opening != opening) continue;
            shown.before = _digests[address(task)][account][i];
            shown.made = made;
            shown.later = new bytes32[](all.length - i - 1);
            for (uint256 j = i + 1; j < all.length; ++j) {
                shown.later[j - i - 1] = History.inner(address(task), abi.decode(all[j], (Commitment)));
            }
            return shown;
        }
        revert("nothing committed");
    }

    /// @dev The case of a claim.
    function _case(uint256 index) internal view returns (Case memory made) {
        Entry storage entry = chain[index];
        (made.task, made.law, made.before) = (address(task), _law(), entry.before);
        made.claim = abi.decode(entry.claim, (Claim));
        made.later = _later(index);
    }

    /// @dev Hashes of the claims that stand after one.
    function _later(uint256 index) internal view returns (bytes32[] memory) {
        return _after(index + 1);
    }

    /// @dev Hashes of the claims that stand, from one on.
    function _after(uint256 first) internal view returns (bytes32[] memory later) {
        uint256 end = _standing();
        later = new bytes32[](first < end ? end - first : 0);
        for (uint256 i = first; i < end; ++i) {
            later[i - first] = keccak256(chain[i].claim);
        }
    }

    /// @dev Claims that stand.
    function _standing() internal view returns (uint256) {
        (, bytes32 proposed) = task.heads();
        return proposed == 0 ? chain.length : chain.length - 1;
    }

    /// @dev Drops the claims that fell.
    function _follow() private {
        (bytes32 standing, bytes32 proposed) = task.heads();
        while (chain.length != 0) {
            bytes32 last = chain[chain.length - 1].name;
            if (last == standing || last == proposed) return;
            chain.pop();
        }
        _hold(standing == History.genesis(BASE), "the chain begins with the base");
    }

    function _watchFreeze(Slot memory now_) private {
        (bytes32 standing,) = task.heads();
        bytes32 base = keccak256(abi.encode(task, standing));
        _hold(!_frozenOn[base], "one frozen set a base");
        _frozenOn[base] = true;
        uint256 bits = uint8(survivors[0]);
        uint256 count = 0;
        for (uint256 seat = 0; seat < 8; ++seat) {
            if ((bits >> seat) & 1 == 0) continue;
            ++count;
            _hold(seated[address(task)][now_.opening][seat] != address(0), "survivors committed");
        }
        _hold(count >= _params().minSurvivors && count <= now_.committed, "survivors are no more than commits");
        _hold(task.frozen().digest == bytes20(sha256(bytes.concat(survivors, signers))), "the set is the signed one");
    }
}
