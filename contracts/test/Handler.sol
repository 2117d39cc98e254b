// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Books} from "./Books.sol";
import {VM} from "./Cheats.sol";
import {Lie} from "./Chronicle.sol";
import {Stage} from "./Stage.sol";
import {CommitWords} from "src/CommitPage.sol";
import {Tree} from "src/DemandTypes.sol";
import {Commitment, Finality, Phase, Position} from "src/TaskTypes.sol";

/// @title What forge calls at random: each call is one thing that somebody does, and reverts where it cannot be done.
contract Handler is Books {
    bytes32 private constant COMMIT_TYPE = keccak256(
        "Commit(uint32 round,uint16 attempt,uint32 opening,uint32 generation,bytes32 updateRoot,bytes32 seedsRoot,bytes32 bundle,bytes32 dataRoot,bytes32 maskKey,bytes32 boxKey,uint32 deadline)"
    );

    constructor(Finality finality) Stage(finality) {}

    function carryOn(uint256 luck) external timed {
        _carryOn(luck);
    }

    function join(uint256 who) external timed {
        _join(who % MEMBERS);
    }

    function depart(uint256 who) external timed {
        for (uint256 i = 0; i < MEMBERS && !task.participant(_account(who % MEMBERS)).enrolled; ++i) {
            who = who % MEMBERS + 1;
        }
        VM.prank(_account(who % MEMBERS));
        task.leaveTask();
        _watch(false);
    }

    function collect(uint256 who, uint256 luck) external timed {
        if (luck % 2 == 0) _wait(_params().unbondSeconds);
        for (uint256 i = 0; i < MEMBERS && task.participant(_account(who % MEMBERS)).thawAt == 0; ++i) {
            who = who % MEMBERS + 1;
        }
        task.collectStake(_account(who % MEMBERS));
        _watch(false);
    }

    function advertise(uint256 who) external timed reaching(Phase.FREEZE, who / MEMBERS) {
        _advertise(who % MEMBERS);
    }

    function commit(uint256 who, uint256 luck) external timed reaching(Phase.COMMIT, luck) {
        _commit(who % MEMBERS, luck);
    }

    /// @notice A relayer sends what one or two members signed.
    function relay(uint256 one, uint256 other, uint256 luck) external timed reaching(Phase.COMMIT, luck) {
        (one, other) = (one % MEMBERS, other % MEMBERS);
        uint256 count = one == other ? 1 : 2;
        CommitWords[] memory words = new CommitWords[](count);
        bytes memory signatures;
        uint32 deadline = uint32(VM.getBlockTimestamp());
        for (uint256 i = 0; i < count; ++i) {
            uint256 who = i == 0 ? one : other;
            Commitment memory made;
            bytes24 before;
            (words[i], made, before) = _words(who, luck);
            bytes32 content =
                keccak256(abi.encode(COMMIT_TYPE, made.round, made.attempt, made.opening, words[i], deadline));
            signatures = bytes.concat(signatures, _signature(who, _typed(content)));
            _remember(_account(who), made, before);
        }
        VM.prank(GRIEFER);
        task.commitBySig(words, deadline, signatures);
        _watch(false);
    }

    function freeze(uint256 luck) external timed reaching(Phase.FREEZE, luck) {
        require(_freeze(luck / 2), "no quorum");
    }

    function propose(uint256 luck) external timed reaching(Phase.AGGREGATE, luck) {
        require(_propose(Lie.NONE, luck), "not their turn");
    }

    function lie(uint256 kind, uint256 luck) external timed reaching(Phase.AGGREGATE, luck) {
        require(_propose(Lie(1 + kind % uint256(type(Lie).max)), luck), "not their turn");
    }

    /// @notice A liar leaves at once and takes what it can, before somebody proves the lie.
    function escape(uint256 kind, uint256 luck) external timed reaching(Phase.AGGREGATE, luck) {
        require(_propose(Lie(1 + kind % uint256(Lie.PAYOUT_LEAF)), luck), "not their turn");
        address author = _account(chain[chain.length - 1].author);
        VM.prank(author);
        try task.leaveTask() {} catch {}
        try task.collectStake(author) {} catch {}
        _refute(chain.length - 1, _judgeOf(chain[chain.length - 1].lie), GRIEFER);
    }

    function decide(uint256 luck) external timed reaching(Phase.ATTEST, luck) {
        if (_isOptimistic()) {
            if (luck % 4 == 0) _until(_windowEnd(luck % chain.length));
            _settle(luck % chain.length);
            return;
        }
        require(_finalize(), "no quorum");
    }

    function poke() external timed {
        task.poke();
        _watch(false);
    }

    function wait(uint256 spent) external timed {
        _wait(spent % 700);
    }

    function deposit(uint256 who, uint256 amount) external timed {
        _deposit(who % MEMBERS, amount % 1e16);
    }

    function withdraw(uint256 who, uint256 amount) external timed {
        address account = _account(who % MEMBERS);
        (uint128 free,) = VAULT.stakeOf(account);
        uint128 taken = uint128(amount % (uint256(free) + 1));
        VM.prank(account);
        VAULT.withdraw(taken);
        put[account] -= taken < put[account] ? taken : put[account];
    }

    function pause(uint256 luck) external timed {
        require(luck % 4 == 0, "seldom");
        VM.prank(GUARDIAN);
        task.pause();
        _watch(false);
    }

    function resume(uint256 luck) external timed {
        if (luck % 4 == 0) _wait(MAX_PAUSE);
        VM.prank(luck % 4 == 0 ? GRIEFER : GUARDIAN);
        task.resume();
        _watch(false);
    }

    /// @notice Somebody who looks finds a lie.
    function refute(uint256 index, uint256 by) external timed {
        for (uint256 i = 0; i < chain.length; ++i) {
            uint256 place = (index % chain.length + i) % chain.length;
            Lie told = chain[place].lie;
            if (told == Lie.NONE || told == Lie.HIDDEN) continue;
            if (task.convicted(chain[place].name)) continue;
            return _refute(place, _judgeOf(told), _challenger(by));
        }
        revert("nothing to prove");
    }

    /// @notice Somebody tries whatever judge on whatever claim.
    function grieve(uint256 index, uint256 judge, uint256 by) external timed {
        index %= chain.length;
        require(chain[index].lie == Lie.NONE, "not honest");
        try this.tryRefute(index, judge, by) {} catch {}
    }

    function accuseBallots(uint256 who, uint256 by) external timed {
        _accuseBallots(HONEST + who % (MEMBERS - HONEST), _challenger(by));
    }

    function accuseAttester(uint256 index, uint256 who, uint256 by) external timed {
        bool honest = index % 4 == 0;
        require(!honest || chain[index % chain.length].lie == Lie.NONE, "the honest attest no lie");
        if (honest) _accuseAttester(chain[index % chain.length], who % HONEST, _challenger(by));
        else _accuseAttester(refuted, HONEST + who % (MEMBERS - HONEST), _challenger(by));
    }

    function ask(uint256 index, uint256 tree, uint64 leaf, uint256 by) external timed {
        Tree[4] memory trees = [Tree.MODEL, Tree.UNMASK, Tree.PAYOUT, Tree.SUM];
        _ask(index % chain.length, trees[tree % 4], leaf, _challenger(by));
    }

    function askReveal(uint256 who, uint256 seat, uint256 luck) external timed reaching(Phase.AGGREGATE, luck) {
        Position other = task.participant(_account(who % MEMBERS)).position;
        if (luck % 3 == 0) other = Position.wrap(uint16(seat % MEMBERS));
        _askReveal(who % MEMBERS, other, _challenger(luck));
    }

    function answer(uint256 index, uint256 by) external timed {
        _answer(index % questions.length, _challenger(by));
    }

    function lapse(uint256 index, uint256 luck) external timed {
        if (luck % 2 == 0) _wait(_params().answerSeconds);
        for (uint256 i = 0; i < questions.length && questions[index % questions.length].whom < HONEST; ++i) {
            index = index % questions.length + 1;
        }
        _lapse(index % questions.length);
    }

    function abandon(uint256 index, uint256 luck) external timed {
        if (luck % 2 == 0) _wait(2 * uint256(_params().answerSeconds));
        _abandon(index % questions.length);
    }

    function takeCredit(uint256 by) external timed {
        VM.prank(_challenger(by));
        COURT.withdraw(_challenger(by));
    }

    function claim(uint256 index, uint256 payee) external timed {
        _claim(index % chain.length, payee % 8);
    }

    function returnRemainder(uint256 luck) external timed {
        for (uint256 steps = 0; luck % 4 == 0 && steps < 64 && task.slot().phase != Phase.ENDED; ++steps) {
            _pass();
        }
        if (luck % 4 == 0 && _pending()) _settleLast();
        _return();
    }

    /// @notice Everybody leaves, and another task begins.
    function begin() external timed {
        require(task.slot().phase == Phase.ENDED, "under way");
        _begin();
    }

    function tryRefute(uint256 index, uint256 judge, uint256 by) external timed {
        address[5] memory judges = [SETS_JUDGE, STATE_JUDGE, TOTAL_JUDGE, WEIGHT_JUDGE, PAYOUT_JUDGE];
        _refute(index, judges[judge % 5], _challenger(by));
    }

    /// @notice What anybody may do.
    function moves() external pure returns (bytes4[] memory all) {
        all = new bytes4[](31);
        all[0] = this.carryOn.selector;
        all[1] = this.join.selector;
        all[2] = this.depart.selector;
        all[3] = this.collect.selector;
        all[4] = this.advertise.selector;
        all[5] = this.commit.selector;
        all[6] = this.relay.selector;
        all[7] = this.freeze.selector;
        all[8] = this.propose.selector;
        all[9] = this.lie.selector;
        all[10] = this.decide.selector;
        all[11] = this.poke.selector;
        all[12] = this.wait.selector;
        all[13] = this.deposit.selector;
        all[14] = this.withdraw.selector;
        all[15] = this.pause.selector;
        all[16] = this.resume.selector;
        all[17] = this.refute.selector;
        all[18] = this.grieve.selector;
        all[19] = this.accuseBallots.selector;
        all[20] = this.accuseAttester.selector;
        all[21] = this.ask.selector;
        all[22] = this.askReveal.selector;
        all[23] = this.answer.selector;
        all[24] = this.lapse.selector;
        all[25] = this.abandon.selector;
        all[26] = this.takeCredit.selector;
        all[27] = this.claim.selector;
        all[28] = this.returnRemainder.selector;
        all[29] = this.begin.selector;
        all[30] = this.escape.selector;
    }
}
