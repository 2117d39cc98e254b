"""What refuting a wrong claim costs: whole transactions through `Court.refute`, on a real task, on anvil.

The second round of a task is proposed with every lie in it at once. Each is refuted by itself, the chain being set back
in between.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from foedus.contracts import calls, court
from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import Deployed
from foedus.contracts.proofs import encode as encode_proof
from foedus.node.devnet.processes import start_anvil_process
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.claims import Case, commitment_digest, next_digest
from foedus.protocol.events import ParticipantSlashed, UpdateCommitted
from foedus.protocol.groups import Groups
from foedus.protocol.ids import Hash32, Opening, Position, Wei
from foedus.protocol.merkle import root_of_hashes
from foedus.protocol.proofs import Base, Committed, Proof
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Finality, RuleName
from tests.contracts.actors import OPTIMISTIC, Stage, World, digest
from tests.contracts.chain import ETHER, TREASURY
from tests.contracts.conftest import ANVIL
from tests.contracts.fraud_scene import Wrong
from tests.contracts.rule_scenes import Deep, usual_step

GROUP_SIZE = 32
LONG = 10**6
"""Seconds that thousands of transactions, a block each, do not outlast."""


def fraud_gas(
    parameters: int = 1_000_000, participants: int = 40, rule: RuleName = "fedyogi", fast: bool = False
) -> dict[str, int]:
    """The gas of refuting a wrong sum, leaf, mask, and chunk of the new model, by name: `fraud_sum`, `fraud_leaf`,
    `fraud_mask`, `fraud_rule`; `fraud_state` of the last lane of the new state, where the rule keeps one. What calldata
    costs at least (EIP-7623) is included.

    At least four participants, one of whom refutes; the treasury has had of a stake before. fast: the claim awaits a
    quorum; else it stands, and others could build on it.
    """
    with start_anvil_process(ANVIL, accounts=participants + 2) as chain:
        world = Court.open(chain.url, "anvil", participants + 2)
        world.deposit(world.accounts[:-2], ETHER)
        world.send(
            Call(world.deployment.vault, encode("StakeVault", "depositFor", [TREASURY]), Wei(1), ""), world.owner
        )
        trial = Trial.of(world, -(-parameters // CHUNK_LANES), rule, fast)
        return {name: trial.gas(proof) for name, proof in trial.proofs().items()}


class Court(World):
    """A chain with the contracts as they are deployed."""

    def _deploy(self, known: dict[str, Deployed]) -> None:
        known.update(asyncio.run(deploy(self.url, self.owner, TREASURY, self.chain_id)).contracts)


@dataclass
class Trial:
    """A task after its second proposal, which is wrong. commits: the owner's, one a round."""

    stage: Stage
    wrong: Wrong
    commits: list[UpdateCommitted]

    @classmethod
    def of(cls, world: World, chunks: int, rule: RuleName, fast: bool) -> Trial:
        """Play a task of everybody but the last two accounts."""
        members = world.accounts[:-2]
        windows = dict.fromkeys(("enrol", "commit", "freeze", "stall", "attest"), LONG)
        limits = {f"{name}_seconds": seconds for name, seconds in windows.items()} | {"unbond_seconds": 10 * LONG}
        params = replace(OPTIMISTIC, max_participants=len(members), min_participants=3, **limits)  # type: ignore[arg-type]
        if fast:
            params = replace(params, finality=Finality.FAST, ahead=0)
        step = usual_step(rule, len(members) - 1, GROUP_SIZE)
        deep = Deep(step, chunks, at=3 * chunks // 4)
        stage = world.create(members, params, law=step.law.digest)
        stage.join(*range(len(members)))
        stage.draw()
        groups = Groups(Hash32(stage.view("epochSeed")), len(members), GROUP_SIZE)
        trial = cls(stage, Wrong(groups, chunks // 2, deep), [])
        trial._play()
        return trial

    def proofs(self) -> dict[str, Proof]:
        """What refutes the second claim."""
        freeze, wrong = self.stage.freezes[2], self.wrong
        return {
            "fraud_sum": wrong.sum_proof(),
            "fraud_leaf": wrong.leaf_proof(freeze.survivors + freeze.signers, self._committed()),
            "fraud_mask": wrong.mask_proof(),
            "fraud_rule": wrong.rule_proof(),
            **({"fraud_state": wrong.state_proof()} if wrong.deep.step.rule.state_lanes else {}),
        }

    def gas(self, proof: Proof) -> int:
        """Of the whole transaction that refutes, which convicts the aggregator; undone again."""
        world, made = self.stage.world, self.stage.proposals[1]
        case = Case(self.stage.task, self.wrong.deep.step.law, made.before, made.claim, ())
        challenger = next(one for one in self.stage.members if one.address != made.claim.aggregator)
        clean = world.rpc("evm_snapshot")
        mined = world.send(court.refute(world.deployment, case, proof.judge, encode_proof(proof)), challenger)
        slashed = mined.event(ParticipantSlashed)
        assert (slashed.participant, slashed.challenger) == (made.claim.aggregator, challenger.address)
        world.bring_back(clean)
        return mined.gas_used

    def _play(self) -> None:
        """Two rounds, up to the proposal that is wrong."""
        stage, wrong = self.stage, self.wrong
        members = {stage.position(member): member for member in range(len(stage.members))}
        survivors = [member for position, member in members.items() if position != wrong.out]
        count, owner = wrong.groups.count, members[wrong.owner]
        opened, left_out = to_bitmap(map(Position, range(count)), count), to_bitmap((), count)
        sets = {"groups": opened, "quarantined": left_out}
        base = wrong.deep.base.claim
        assert base is not None
        before = {"model_root": base.aggregate.model_root, "state_root": base.aggregate.state_root}
        self._commit(owner, digest("update"))
        stage.freeze(survivors)
        stage.propose(stage.aggregate(**sets, **before))
        if stage.params.finality is Finality.FAST:
            stage.finalize()
        wrong.deep.base = Base(stage.proposals[0].before, stage.proposals[0].claim)
        self._commit(owner, root_of_hashes(wrong.update[1]))
        stage.freeze(survivors)
        stage.propose(stage.aggregate(**sets, **wrong.roots, total_weight=len(survivors)))

    def _commit(self, owner: int, update_root: Hash32) -> None:
        """Everybody commits, the owner this update."""
        stage = self.stage
        for member in range(len(stage.members)):
            words = list(stage.commit_words(member))
            words[1] = update_root if member == owner else words[1]
            mined = stage.act(calls.commit(stage.task, *words), stage.members[member])
            if member == owner:
                self.commits.append(mined.event(UpdateCommitted))

    def _committed(self) -> Committed:
        """The owner's second commitment, after the first."""
        first, second = (
            Commitment(
                opening=Opening(opening),
                round=made.round,
                attempt=made.attempt,
                participant=made.participant,
                position=made.position,
                generation=made.generation,
                update_root=made.update_root,
                seeds_root=made.seeds_root,
                bundle=made.bundle,
                data_root=made.data_root,
            )
            for opening, made in enumerate(self.commits, start=1)
        )
        link = commitment_digest(self.stage.world.chain_id, self.stage.task, first)
        return Committed(next_digest(bytes(24), link), second, ())
