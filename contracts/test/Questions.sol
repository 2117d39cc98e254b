// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VM} from "./Cheats.sol";
import {Entry} from "./Chronicle.sol";
import {Outcome} from "./Outcome.sol";
import {Trials} from "./Trials.sol";
import {Demand, Reveal, SumNode, Tree} from "src/DemandTypes.sol";
import {History} from "src/History.sol";
import {Case, Committed} from "src/Judge.sol";
import {Merkle} from "src/Merkle.sol";
import {Shuffle} from "src/Shuffle.sol";
import {Slot} from "src/Slot.sol";
import {Claim, Position} from "src/TaskTypes.sol";

/// @notice An open demand, and what answers it.
struct Question {
    bytes32 id;
    bytes32 asked; // keccak256 of the demand
    bytes demand; // encoded: a Demand, or a Reveal
    bool reveal;
    uint256 whom; // the member who is to answer
    address by;
    bytes data;
    bytes32[] siblings;
}

/// @title How demands are made, answered and left unanswered.
/// @notice The honest answer before time goes on; the others do not answer.
abstract contract Questions is Trials {
    uint256 private constant OFFER = 1e16; // wei: more than any bond

    Question[] internal questions;

    /// @dev Asks for what one of a claim's roots stands for.
    function _ask(uint256 index, Tree tree, uint64 leaf, address by) internal {
        Entry memory entry = chain[index];
        Claim memory claim = abi.decode(entry.claim, (Claim));
        Case memory made = _case(index);
        Question memory question;
        Demand memory asked = Demand(address(task), entry.name, tree, 0, leaf, 1, 0);
        if (tree == Tree.MODEL) {
            (asked.root, asked.index) = (claim.aggregate.modelRoot, 0);
            question.data = Outcome.model(claim.round, claim.opening);
        } else if (tree == Tree.UNMASK) {
            uint256 levels = 2 * Merkle.height(claim.domain);
            (asked.root, asked.count) = (claim.aggregate.unmaskRoot, uint64(1 << levels));
            asked.index = leaf % asked.count;
            (question.data, question.siblings) = (new bytes(32), Outcome.besideNoSeed(levels));
        } else if (tree == Tree.PAYOUT) {
            uint256 payee = leaf % Outcome.PAYEES;
            (asked.root, asked.count, asked.index) = (claim.aggregate.payoutRoot, 1 << 16, uint64(payee));
            (, question.siblings) = Outcome.payout(_payees(), entry.owed, payee);
            if (entry.owed[payee] != 0) question.data = abi.encodePacked(_payees()[payee], entry.owed[payee]);
        } else {
            (asked.root, asked.count, asked.index, asked.node) = (claim.aggregate.sumRoot, 2, 1, 1);
            (question.data, question.siblings) = (Outcome.weights(entry.weight), Outcome.besideLast());
        }
        VM.prank(by);
        question.id = tree == Tree.SUM
            ? COURT.demandNode{value: OFFER}(made, asked.index, asked.node)
            : COURT.demandChunk{value: OFFER}(made, tree, asked.index);
        (question.demand, question.whom) = (abi.encode(asked), entry.author);
        _note(question, by);
    }

    /// @dev Asks a survivor of the round under way for a seed.
    function _askReveal(uint256 whom, Position other, address by) internal {
        Slot memory state = task.slot();
        uint32 resumed = task.book().resumed;
        Committed memory shown = _committed(_account(whom), resumed != 0 ? resumed : state.opening);
        Case memory last;
        if (chain.length != 0) last = _case(chain.length - 1);
        (last.task, last.law) = (address(task), _law());
        Question memory question;
        Reveal memory asked;
        (asked.task, asked.opening) = (address(task), shown.made.opening);
        (asked.round, asked.attempt) = (state.round, state.attempt);
        (asked.onto,) = task.heads();
        asked.base = chain.length == 0 ? BASE : last.claim.aggregate.modelRoot;
        (asked.owner, asked.position, asked.other) = (_account(whom), shown.made.position, other);
        asked.seedsRoot = shown.made.seedsRoot;
        uint256 levels = Merkle.height(state.domain);
        (asked.row, asked.width) =
        (uint32(Shuffle.place(task.epochSeed(), Position.unwrap(other), state.domain)), uint32(1 << levels));
        bytes memory frozen = bytes.concat(survivors, signers);
        VM.prank(by);
        question.id = COURT.demandReveal{value: OFFER}(last, shown, frozen, other);
        (question.demand, question.whom, question.reveal) = (abi.encode(asked), whom, true);
        question.siblings = Outcome.besideNoSeed(levels);
        _note(question, by);
    }

    function _answer(uint256 index, address by) internal {
        Question memory question = questions[index];
        if (question.reveal) {
            Reveal memory asked = abi.decode(question.demand, (Reveal));
            VM.prank(by);
            COURT.answerReveal(asked, address(0), 0, question.siblings);
        } else {
            Demand memory asked = abi.decode(question.demand, (Demand));
            SumNode[] memory nodes = new SumNode[](1);
            nodes[0] = SumNode(sha256(question.data), Outcome.BELOW, Outcome.BELOW);
            VM.prank(by);
            if (asked.tree == Tree.SUM) COURT.answerNode(asked, nodes, question.siblings);
            else COURT.answerChunk(asked, question.data, question.siblings);
        }
        _close(index);
    }

    /// @dev Convicts who did not answer.
    function _lapse(uint256 index) internal {
        Question memory question = questions[index];
        address account = _account(question.whom);
        (uint256 had, uint256[3] memory before) = (_atStake(account), _funds(account, question.by));
        if (question.reveal) {
            Reveal memory asked = abi.decode(question.demand, (Reveal));
            COURT.lapseReveal(asked, _after(asked.onto == History.genesis(BASE) ? 0 : _indexOf(asked.onto) + 1));
            _seized(account, had, before, question.by);
        } else {
            Demand memory asked = abi.decode(question.demand, (Demand));
            uint256 place = _indexOf(asked.proposal);
            Entry memory entry = chain[place];
            COURT.lapse(asked, entry.before, abi.decode(entry.claim, (Claim)), _later(place));
            _punished(entry, had, before, question.by);
        }
        _hold(question.whom >= HONEST, "the honest are never convicted of silence");
        _close(index);
        _watch(!question.reveal);
    }

    function _abandon(uint256 index) internal {
        Question memory question = questions[index];
        VM.prank(question.by);
        COURT.abandon(address(task), question.asked);
        _close(index);
    }

    /// @dev Time goes on when every honest member has answered.
    function _wait(uint256 spent) internal override {
        for (uint256 i = questions.length; i > 0; --i) {
            uint256 whom = questions[i - 1].whom;
            if (whom < HONEST) _answer(i - 1, _account(whom));
        }
        super._wait(spent);
    }

    function _indexOf(bytes32 name) internal view returns (uint256) {
        for (uint256 i = 0; i < chain.length; ++i) {
            if (chain[i].name == name) return i;
        }
        revert("the claim fell");
    }

    function _note(Question memory question, address by) private {
        question.asked = keccak256(question.demand);
        question.by = by;
        _hold(question.id == COURT.demandId(address(task), question.asked), "a demand has its name");
        questions.push(question);
    }

    function _close(uint256 index) private {
        questions[index] = questions[questions.length - 1];
        questions.pop();
    }
}
