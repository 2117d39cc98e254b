"""The audit: an honest task verifies, any byte changed names its round and owner, what is missing is never verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.aggregate import ProposalManifest
from foedus.aggregator.bundle import pair_seeds, parse_envelope
from foedus.aggregator.report import Mismatch, Report, Status, Unavailable
from foedus.aggregator.seeds import self_seed
from foedus.aggregator.unmasked import unmask_root, unmask_to_bytes
from foedus.protocol import events as ev
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.cids import block_cid
from foedus.protocol.ids import ZERO32, Address, Attempt, Cid, Hash32, Opening, Position, RoundNumber, Timestamp, Wei
from foedus.protocol.task import ImpossibleEvent

A, B = Position(0), Position(1)
BLOBS = ("bundle", "vector", "unmask", "model", "state", "tops", "proposal")
STATEFUL = ("fedavgm", "fedadam", "fedyogi", "fedadagrad")
CLAIMS = ("groups", "quarantined", "sum_root", "unmask_root", "state_root", "model_root", "total_weight")


def played(chains: Callable[..., Any], rounds: int = 2, **settings: Any) -> Any:
    chain = chains(6, **settings)
    for _ in range(rounds):
        chain.play()
    return chain


def hints(chain: Any, index: int) -> ProposalManifest:
    claim = [e.event.aggregate for e in chain.entries if isinstance(e.event, ev.AggregateProposed)][index]
    return ProposalManifest.from_bytes(chain.blobs.held[block_cid(claim.manifest)])


def reclaim(chain: Any, **changes: Any) -> None:
    """Change what the last proposal claims, and the finalisation with it."""
    last = next(e.event for e in reversed(chain.entries) if isinstance(e.event, ev.AggregateProposed))
    fields = {name: getattr(last.aggregate, name) for name in ev.Aggregate.__dataclass_fields__}
    chain.amend(ev.AggregateProposed, aggregate=ev.Aggregate(**{**fields, **changes}))


def republish(chain: Any, seeds: dict[Any, Any]) -> None:
    """The last proposal with other seeds, consistently hashed."""
    world, old = chain.worlds[-1], hints(chain, -1)
    made = replace(old, unmask=chain.blobs.keep(unmask_to_bytes(seeds))).to_bytes()
    chain.blobs.keep(made)
    reclaim(chain, manifest=Hash32(sha256(made).digest()), unmask_root=unmask_root(world.layout, seeds))


def named(report: Report) -> set[tuple[int, str, Address | None]]:
    return {(entry.round, finding.what, finding.participant) for entry in report.rounds for finding in entry.findings}


@pytest.mark.parametrize("mode", ["masked", "plain"])
def test_an_honest_task_verifies(chains: Callable[..., Any], mode: str) -> None:
    chain = chains(6, mode=mode)
    chain.play()
    chain.play(absent=[1])
    chain.play(out=[2])
    report = chain.audit()
    assert (report.status, report.exit_code, report.findings) == (Status.VERIFIED, 0, ())
    assert [entry.round for entry in report.rounds] == [1, 2, 3]
    for entry, world, outcome in zip(report.rounds, chain.worlds, chain.outcomes, strict=True):
        assert {*CLAIMS, "survivors", "update_roots", "seeds", "freeze signers", "attesters"} <= set(entry.verified)
        assert set(entry.participants.values()) == {Status.VERIFIED}
        assert set(entry.participants) == {c.participant for c in world.commitments.values()}
        assert entry.metrics == outcome.metrics
        assert entry.unchecked == ("payout",)
    whole = json.loads(report.to_json())
    assert (whole["exit_code"], whole["rounds"][2]["status"]) == (0, "verified")


def test_groups_and_degrees_verify_too(chains: Callable[..., Any]) -> None:
    chain = chains(9, group_size=4, neighbours=2)
    chain.play(absent=[3])
    chain.play(out=[0])
    assert chain.audit(workers=2).exit_code == 0


@pytest.mark.parametrize("rule", STATEFUL)
def test_every_rule_verifies_and_carries_its_state(chains: Callable[..., Any], rule: str) -> None:
    chain = played(chains, rounds=3, rule=rule)
    report = chain.audit()
    assert (report.status, report.exit_code) == (Status.VERIFIED, 0)
    assert len({outcome.state_root for outcome in chain.outcomes} - {ZERO32}) == 3
    for entry in report.rounds:
        assert {"state", "state_root", "model_root"} <= set(entry.verified)


def blob_of(chain: Any, which: str) -> tuple[Cid, str, Address | None]:
    """A stored blob of round 2: its CID, what the audit calls it, and who answers for it."""
    world, first = chain.worlds[1], chain.worlds[1].round_.roster[A].address
    commitment = world.commitments[B]
    match which:
        case "bundle":
            return block_cid(commitment.bundle), "bundle", commitment.participant
        case "vector":
            return parse_envelope(world.layout, B, world.sealed[B]).update, "masked update", commitment.participant
        case "unmask":
            return hints(chain, 1).unmask, "unmask", first
        case "model":
            return hints(chain, 1).model, "model", first
        case "tops":
            return hints(chain, 1).tops, "tops", first
        case "state":
            return hints(chain, 1).state or Cid(""), "state", first
    claim = [e.event.aggregate for e in chain.entries if isinstance(e.event, ev.AggregateProposed)][1]
    return block_cid(claim.manifest), "proposal", first


@pytest.mark.parametrize("which", BLOBS)
def test_a_corrupt_block_names_round_and_owner(chains: Callable[..., Any], which: str) -> None:
    chain = played(chains, rule="fedadam")
    cid, what, owner = blob_of(chain, which)
    chain.blobs.broken.add(cid)
    report = chain.audit()
    assert report.exit_code == 1
    assert named(report) == {(2, what, owner)}
    assert report.rounds[0].status is Status.VERIFIED
    assert report.rounds[1].participants[owner] is Status.MISMATCH


@pytest.mark.parametrize("at", [0, 3, 40, 70, -1])
@pytest.mark.parametrize("which", BLOBS)
def test_a_lying_store_is_found_out(chains: Callable[..., Any], which: str, at: int) -> None:
    """A store that answers with one bit flipped and does not check it."""
    chain = played(chains, rule="fedadam")
    cid, _, owner = blob_of(chain, which)
    blob = bytearray(chain.blobs.held[cid])
    blob[at] ^= 1
    chain.blobs.held[cid] = bytes(blob)
    report = chain.audit()
    assert report.exit_code == 1
    found = named(report)
    assert {entry for entry, _, _ in found} == {2}
    if which == "unmask" and any(what.startswith("seed of row") for _, what, _ in found):
        owner = chain.worlds[1].round_.roster[int.from_bytes(blob[4 + (at % len(blob) - 4) // 36 * 36 :][:2])].address
    assert {account for _, _, account in found} == {owner}


@pytest.mark.parametrize("which", BLOBS)
def test_what_is_missing_is_unavailable_and_never_verified(chains: Callable[..., Any], which: str) -> None:
    chain = played(chains, rule="fedadam")
    cid, what, owner = blob_of(chain, which)
    del chain.blobs.held[cid]
    report = chain.audit()
    assert report.exit_code == 2
    assert report.rounds[1].findings == (Unavailable(what, owner, cid),)
    assert report.rounds[1].status is Status.UNAVAILABLE
    if which in ("model", "state", "tops"):
        assert {"sum_root", "state_root", "model_root"} <= set(report.rounds[1].verified)
    else:
        assert "sum_root" not in report.rounds[1].verified
        assert "aggregate" in report.rounds[1].unchecked


def test_a_mismatch_outweighs_what_is_missing(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    del chain.blobs.held[blob_of(chain, "vector")[0]]
    chain.blobs.broken.add(blob_of(chain, "model")[0])
    assert chain.audit().exit_code == 1


@pytest.mark.parametrize("rule", ["fedavg", "fedadagrad"])
@pytest.mark.parametrize("claim", CLAIMS)
def test_a_wrong_claim_names_the_aggregator(chains: Callable[..., Any], claim: str, rule: str) -> None:
    chain = played(chains, rule=rule)
    wrong = {"groups": b"\x00", "quarantined": b"\x01", "total_weight": 7}.get(claim, Hash32(b"\x05" * 32))
    reclaim(chain, **{claim: wrong})
    report = chain.audit()
    assert report.exit_code == 1
    assert claim == "groups" or (2, claim, chain.worlds[0].round_.roster[A].address) in named(report)
    assert report.rounds[0].status is Status.VERIFIED


def test_a_seed_that_was_not_committed_names_its_owner(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    world = chain.worlds[-1]
    slot = (B, world.layout.row(B))
    collected = world.unmask(frozenset(world.positions))
    republish(chain, {**collected.seeds, slot: self_seed(world.random)})
    assert (2, f"seed of row {slot[1]}", world.round_.roster[B].address) in named(chain.audit())


def test_a_secret_seed_that_was_published_and_a_missing_one_are_named(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    world = chain.worlds[-1]
    collected = world.unmask(frozenset(world.positions))
    secret = pair_seeds(world.layout, world.context, A, world.keys[A])[B]
    republish(chain, {**collected.seeds, (A, world.layout.row(B)): secret})
    (finding,) = chain.audit().rounds[1].findings
    assert finding == Mismatch(
        f"seed of row {world.layout.row(B)}", world.round_.roster[A].address, "kept secret", "published"
    )
    republish(chain, {slot: seed for slot, seed in collected.seeds.items() if slot[0] != B})
    assert (2, f"seed of row {world.layout.row(B)}", world.round_.roster[B].address) in named(chain.audit())


def test_an_initial_model_that_is_gone_costs_the_first_round_only(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    del chain.blobs.held[chain.initial]
    report = chain.audit()
    assert report.exit_code == 2
    assert report.rounds[0].findings == (Unavailable("base model", None, chain.initial),)
    assert "sum_root" in report.rounds[0].verified
    assert "model_root" not in report.rounds[0].verified
    assert report.rounds[1].status is Status.VERIFIED


def test_a_state_that_cannot_be_had_or_made_again_costs_the_next_round(chains: Callable[..., Any]) -> None:
    """Without round 1's vectors its state cannot be made again; where it is not stored either, round 2 has no base."""
    chain = played(chains, rounds=3, rule="fedyogi")
    lost = hints(chain, 0).state
    world = chain.worlds[0]
    del chain.blobs.held[lost]
    assert chain.audit().rounds[1].status is Status.VERIFIED
    del chain.blobs.held[parse_envelope(world.layout, A, world.sealed[A]).update]
    report = chain.audit()
    assert report.exit_code == 2
    assert report.rounds[1].findings == (Unavailable("base state", None, lost),)
    assert "sum_root" in report.rounds[1].verified
    assert not {"state_root", "model_root"} & set(report.rounds[1].verified)
    assert report.rounds[2].status is Status.VERIFIED


@pytest.mark.parametrize(("rule", "stored"), [("fedavg", True), ("fedadam", False)])
def test_a_manifest_names_a_state_exactly_where_the_rule_has_one(
    chains: Callable[..., Any], rule: str, stored: bool
) -> None:
    chain = played(chains, rule=rule)
    old = hints(chain, -1)
    made = replace(old, state=old.model if stored else None).to_bytes()
    chain.blobs.keep(made)
    reclaim(chain, manifest=Hash32(sha256(made).digest()))
    report = chain.audit()
    assert report.exit_code == 1
    assert named(report) == {(2, "proposal", chain.worlds[0].round_.roster[A].address)}


@pytest.mark.parametrize("which", ["terms", "manifest"])
def test_without_terms_or_manifest_nothing_is_verified(chains: Callable[..., Any], which: str) -> None:
    chain = played(chains)
    digest = chain.terms.digest if which == "terms" else Hash32(bytes.fromhex(chain.terms.manifest))
    del chain.blobs.held[block_cid(digest)]
    report = chain.audit()
    assert report.exit_code == 2
    assert {entry.status for entry in report.rounds} == {Status.UNAVAILABLE}
    chain.blobs.held[block_cid(digest)] = b"{}"
    assert chain.audit().exit_code == 1


def test_another_law_than_the_terms_make_is_named(chains: Callable[..., Any]) -> None:
    """The terms may be the chain's in every byte, while fraud proofs would judge by others."""
    chain = played(chains, rounds=1)
    made = chain.entries[0].event
    chain.amend(ev.TaskCreated, law=Hash32(bytes(32)))
    report = chain.audit()
    assert report.exit_code == 1
    assert report.findings == (Mismatch("law", made.sponsor, made.law.hex(), bytes(32).hex()),)
    assert {entry.unchecked for entry in report.rounds} == {("everything",)}


def test_quorums_survivors_and_disputes_are_checked(chains: Callable[..., Any]) -> None:
    few = to_bitmap([A, B], 6)
    for event, change, what in (
        (ev.SurvivorsFrozen, {"signers": few}, "freeze signers"),
        (ev.RoundFinalized, {"attesters": few}, "attesters"),
        (ev.SurvivorsFrozen, {"survivors": to_bitmap([A], 6)}, "survivors"),
        (ev.SurvivorsFrozen, {"disputes": b"\x00\x00\x00\x01"}, "disputes"),
        (ev.AggregateProposed, {"position": B}, "aggregator"),
    ):
        chain = played(chains)
        chain.amend(event, **change)
        report = chain.audit()
        assert report.exit_code == 1
        assert what in {found for number, found, _ in named(report) if number == 2}


def test_a_survivor_that_never_committed_is_found(chains: Callable[..., Any]) -> None:
    chain = chains(6)
    chain.play(out=[1])
    chain.amend(ev.SurvivorsFrozen, survivors=to_bitmap([Position(p) for p in range(6)], 6))
    report = chain.audit()
    assert (1, "survivors", chain.worlds[0].round_.roster[B].address) in named(report)


def test_generations_grow_and_a_round_freezes_once(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    chain.amend(ev.UpdateCommitted, generation=1)
    (finding,) = chain.audit().findings
    assert (finding.what, finding.participant) == (
        "generation in round 2",
        chain.worlds[1].round_.roster[Position(5)].address,
    )


def test_a_log_in_which_a_round_was_frozen_twice_cannot_be_whole(chains: Callable[..., Any]) -> None:
    """Another attempt on the base of a freeze: the two sets could be subtracted, so no contract opens one."""
    chain = played(chains, rounds=1)
    final = chain.entries.pop()
    assert isinstance(final.event, ev.RoundFinalized)
    with pytest.raises(ImpossibleEvent, match="opening 2 of round 1"):
        chain.play()


def test_payouts_are_compared_where_they_can_be_made(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    calls = []

    def payouts(task: Any, round_: Any, outcome: Any) -> tuple[Hash32, Wei]:
        calls.append((len(task.finished), round_.number, outcome.total_weight))
        return ZERO32, Wei(0)

    report = chain.audit(payouts=payouts)
    assert calls == [(0, 1, 6), (1, 2, 6)]
    assert report.exit_code == 0
    assert all(not entry.unchecked for entry in report.rounds)
    reclaim(chain, payout_total=Wei(5))
    assert (2, "payout_total", chain.worlds[1].round_.roster[A].address) in named(chain.audit(payouts=payouts))
    del chain.blobs.held[parse_envelope(chain.worlds[0].layout, A, chain.worlds[0].sealed[A]).update]
    report = chain.audit(payouts=payouts)
    assert "payout" in report.rounds[0].unchecked
    assert "payout" in report.rounds[1].unchecked


def test_a_log_with_holes_is_not_audited(chains: Callable[..., Any]) -> None:
    chain = played(chains)
    del chain.entries[8]
    with pytest.raises(ImpossibleEvent):
        chain.audit()


def test_an_attempt_that_was_given_up_is_none_of_the_finished(chains: Callable[..., Any]) -> None:
    chain = chains(6)
    chain.play()
    chain.say(ev.RoundOpened(RoundNumber(2), Attempt(1), Opening(2), 6, Timestamp(0)))
    chain.say(ev.AttemptAborted(RoundNumber(2), Attempt(1), ev.AbortReason.TOO_FEW_COMMITS))
    chain.say(ev.EnrolmentOpened(Timestamp(0), 6))
    report = chain.audit()
    assert [entry.round for entry in report.rounds] == [1]


@pytest.mark.parametrize("hostile", [b"[" * 200_000, b'{"metrics":[],"tensors":[["a",[Infinity],0]]}', b"\xff", b"1"])
def test_a_hostile_sponsor_makes_findings_and_no_exceptions(chains: Callable[..., Any], hostile: bytes) -> None:
    chain = chains(3, manifest=sha256(hostile).hexdigest())
    chain.blobs.keep(hostile)
    report = chain.audit()
    assert (report.exit_code, [finding.what for finding in report.findings]) == (1, ["manifest"])
    chain = chains(3)
    chain.entries[0] = type(chain.entries[0])(
        chain.entries[0].point,
        replace(chain.entries[0].event, terms=Hash32(sha256(hostile).digest())),
    )
    chain.blobs.keep(hostile)
    report = chain.audit()
    assert report.exit_code == 1
    assert report.findings[0].what == "terms"


def address_of(chain: Any) -> Address:
    made: Address = chain.entries[0].event.task
    return made


_PLAYED: dict[str, Any] = {}


@given(which=st.integers(0, 2**16), at=st.integers(0, 2**20), bit=st.integers(0, 7), cut=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_changed_byte_of_any_stored_blob_is_a_mismatch(
    chains: Callable[..., Any], which: int, at: int, bit: int, cut: bool
) -> None:
    """Every blob of an honest task is needed, and none can change or shrink unseen."""
    if not _PLAYED:
        chain = _PLAYED["chain"] = chains(5, group_size=4, neighbours=2, rule="fedadam")
        chain.play()
        chain.play(absent=[1])
        chain.play(out=[2])
    chain = _PLAYED["chain"]
    cid = sorted(chain.blobs.held)[which % len(chain.blobs.held)]
    honest = chain.blobs.held[cid]
    changed = bytearray(honest)
    changed[at % len(changed)] ^= 1 << bit
    chain.blobs.held[cid] = bytes(changed[: at % len(changed)] if cut else changed)
    try:
        report = chain.audit()
    finally:
        chain.blobs.held[cid] = honest
    assert report.exit_code == 1
