"""What challengers say of payouts: the truth, and every kind of lie; and what dishonest aggregators put into trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from foedus.incentives.payouts import SLOTS, payout_leaf, payout_leaves
from foedus.incentives.refutation import Contested, Refutation
from foedus.incentives.settlement import after_round
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.ids import Wei
from foedus.protocol.merkle import EMPTY_LEAF, leaf_hash, sparse_prove
from foedus.protocol.round import Round
from tests.incentives.scenes import TREASURY, Scene
from tests.protocol.samples import account


def due_leaves(contested: Contested) -> dict[int, bytes]:
    """The tree that an honest proposal makes."""
    made = contested.round.proposal
    assert made is not None
    facts = (contested.before, contested.round, contested.terms, made.aggregator, made.aggregate, TREASURY)
    paid = after_round(*facts)
    return payout_leaves(paid.earned, paid.payees)


def earlier_leaves(contested: Contested) -> dict[int, bytes]:
    """The tree that the round's payouts add to."""
    return payout_leaves(contested.before.earned, contested.before.payees)


def shown(contested: Contested, leaves: dict[int, bytes], payee: int) -> Refutation:
    """The proof for a slot of a tree."""
    return contested.leaf_proof(payee, leaves.get(payee, EMPTY_LEAF), sparse_prove(leaves, SLOTS, [payee]))


def lies(scene: Scene, contested: Contested, leaves: dict[int, bytes], draws: Random) -> Iterator[Refutation]:
    """Proofs from facts that are not so, and from bytes that are not as they were."""
    payees = [draws.randrange(len(scene.joined) + 2) for _ in range(4)]
    earned = contested.before.earned
    histories = [
        {who: made[:-1] for who, made in contested.history.items()},
        {who: made[1:] for who, made in contested.history.items()},
        {who: made[::2] for who, made in contested.history.items()},
        {who: [m for m in made if m.opening != contested.round.opening] for who, made in contested.history.items()},
        dict(zip(contested.history, reversed(contested.history.values()), strict=True)),
    ]
    swapped = draws.sample(sorted(contested.joined.values()), len(contested.joined))
    renamed = dict(zip(contested.joined, swapped, strict=True))
    usurped = {**scene.joined, TREASURY: len(scene.joined) + 1, account(0): 0}
    frozen = contested.round.freeze
    assert frozen is not None
    nobody = to_bitmap((), contested.round.domain)
    both = frozen.bitmap + frozen.signers_bitmap
    told = [
        *(replace(contested, history=history) for history in histories),
        replace(contested, joined=renamed, before=replace(contested.before, payees={**renamed, TREASURY: 0})),
        replace(contested, treasury=account(0), before=replace(contested.before, payees=usurped)),
        replace(
            contested, before=replace(contested.before, earned={who: Wei(owed + 1) for who, owed in earned.items()})
        ),
        replace(contested, before=replace(contested.before, earned={})),
        replace(contested, previous=scene.rounds[-2] if len(scene.rounds) > 1 else contested.round),
        replace(contested, round=replace(contested.round, freeze=replace(frozen, signers_bitmap=nobody))),
        replace(contested, round=replace(contested.round, freeze=replace(frozen, bitmap=frozen.signers_bitmap))),
        replace(contested, round=replace(contested.round, freeze=replace(frozen, bitmap=frozen.bitmap + b"\0"))),
    ]
    alive, made = sorted(frozen.survivors), contested.round.proposal
    assert made is not None
    strangers = scene.joined.keys() - {made.aggregator}
    fewer = replace(contested.round, freeze=replace(frozen, survivors=frozenset(alive[1:])))
    other = replace(contested.round, proposal=replace(made, aggregator=draws.choice(sorted(strangers))))
    committed = contested.round.commitments
    moved = dict(zip(committed, reversed(committed.values()), strict=True))
    told += [replace(contested, round=round_) for round_ in (fewer, other)]
    told.append(replace(contested, round=replace(contested.round, commitments=moved)))
    for cut in {0, 1, len(frozen.bitmap) - 1, len(frozen.bitmap) + 1, len(both)} - {len(frozen.bitmap)}:
        elsewhere = replace(frozen, bitmap=both[:cut], signers_bitmap=both[cut:])
        told.append(replace(contested, round=replace(contested.round, freeze=elsewhere)))
    for lie in told:
        for payee in payees:
            yield shown(lie, leaves, payee)
        try:
            yield lie.root_proof()
        except (LookupError, ValueError):
            continue
    for honest in (contested.root_proof(), shown(contested, leaves, payees[0])):
        yield from (replace(honest, proof=proof) for proof in garbled(honest.proof, draws))


def garbled(proof: bytes, draws: Random) -> Iterator[bytes]:
    """A proof with a bit flipped, two words exchanged, or the end cut off."""
    for _ in range(40):
        place = draws.randrange(len(proof))
        yield proof[:place] + bytes([proof[place] ^ 1 << draws.randrange(8)]) + proof[place + 1 :]
        words = [proof[start : start + 32] for start in range(0, len(proof), 32)]
        one, other = draws.sample(range(len(words)), 2)
        words[one], words[other] = words[other], words[one]
        yield b"".join(words)
        yield proof[: draws.randrange(len(proof))]


def wrong_leaves(scene: Scene, contested: Contested, draws: Random) -> Iterator[tuple[int, bytes]]:
    """Every kind of wrong leaf: (slot, hash)."""
    facts = due_leaves(contested)
    numbers = {number: who for who, number in {**scene.joined, TREASURY: 0}.items()}
    made = contested.round.proposal
    assert made is not None
    parts = (contested.round, contested.terms, made.aggregator, made.aggregate, TREASURY)
    owed = after_round(contested.before, *parts).earned
    paid = [number for number, who in numbers.items() if owed.get(who)]
    unpaid = [number for number, who in numbers.items() if not owed.get(who)]
    for number in draws.sample(paid, min(4, len(paid))):
        who = numbers[number]
        yield number, payout_leaf(who, Wei(owed[who] + 1))
        yield number, payout_leaf(who, Wei(owed[who] - 1))
        yield number, payout_leaf(account(77), owed[who])
        if contested.before.earned.get(who, 0) != owed[who]:
            yield number, payout_leaf(who, contested.before.earned.get(who, Wei(0)))
    yield draws.choice(paid), EMPTY_LEAF
    yield 0, payout_leaf(numbers[0], Wei(2 * owed[numbers[0]]))
    yield scene.joined[made.aggregator] if made.aggregator != TREASURY else 0, leaf_hash(b"no payout")
    for number in unpaid[:2]:
        yield number, payout_leaf(numbers[number], Wei(1))
    if TREASURY in scene.joined:
        yield scene.joined[TREASURY], payout_leaf(TREASURY, Wei(1))
    for nobodys in (len(scene.joined) + 1, SLOTS - 1):
        yield nobodys, payout_leaf(account(78), Wei(10**18))
        yield nobodys, facts[0]


def crowd(members: int, quarantined: bool, later: int = 1) -> tuple[Scene, Round]:
    """A task of two rounds with nearly everybody in both, and `later` openings since."""
    scene = Scene(Random(members), members, group_size=32)
    everybody = sorted(scene.seats, key=lambda who: scene.seats[who])
    groups = max(1, members // 32)
    out = b"\x01".ljust(-(-groups // 8), b"\0") if quarantined else bytes(-(-groups // 8))
    opened = to_bitmap(range(groups), groups)
    signers = everybody[:22]
    scene.stand(scene.propose(scene.freeze(everybody, everybody, signers), everybody[0], opened, out))
    proposed = scene.propose(scene.freeze(everybody, everybody[1:], signers), everybody[1], opened, out)
    for _ in range(later):
        scene.open(everybody)
    return scene, proposed
