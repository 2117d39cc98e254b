"""The freeze: agree with the committee on one set of survivors, sign it once, and see it onto the chain.

Whoever's turn it is signs its own choice; the others sign the choice that most have signed, if it stands up to their
own checks. A member signs one choice an opening, ever: a second would be a provable fault. Where the round is built on
proposals that are not final, it makes them again first, and signs nothing on one that it found wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from foedus.aggregator.freeze import Choice, TooFewSurvivors, acceptable, choose_survivors
from foedus.contracts import calls
from foedus.contracts.signatures import InvalidSignature, recover_survivors, sign_survivors
from foedus.node.bench import Bench
from foedus.node.guard import liars, repeats
from foedus.node.inspect import Inspector
from foedus.node.verdicts import Basis, basis_of
from foedus.node.words import Check, Topic, Word
from foedus.protocol.bitmap import MalformedBitmap, from_bitmap, from_pairs, to_bitmap, to_pairs
from foedus.protocol.duties import STAGGER_SECONDS, committee_turn
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

LEADER_SECONDS = 3
"""How long each member in turn has to be the first to sign."""
LOOK_SECONDS = 0.25
ASK_SECONDS = 1.5
JUDGING_PART = 2 / 3
"""Of the freeze window: so long a member waits for its own verdict on what is pending."""


def pack(choice: Choice, domain: int) -> bytes:
    """A choice as a word's content: the length of the bitmap, the bitmap, the disputed pairs."""
    bitmap = to_bitmap(choice.survivors, domain)
    return len(bitmap).to_bytes(2, "big") + bitmap + to_pairs(choice.disputes)


def unpack(content: bytes, domain: int) -> tuple[Choice, bytes, bytes]:
    """(choice, bitmap, pairs). Raises MalformedBitmap."""
    size = int.from_bytes(content[:2], "big")
    bitmap, pairs = content[2 : 2 + size], content[2 + size :]
    return Choice(from_bitmap(bitmap, domain), from_pairs(pairs)), bitmap, pairs


def _checker(bench: Bench, round_: Round) -> Check:
    committee = frozenset(bench.layout(round_).committee)

    def check(word: Word) -> bool:
        try:
            _, bitmap, pairs = unpack(word.content, round_.domain)
            signed = (bench.domain, round_, bitmap, pairs)
            signer = recover_survivors(word.signature, *signed)
        except (MalformedBitmap, InvalidSignature):
            return False
        return word.position in committee and signer == round_.roster[word.position].address

    return check


async def perform_freeze(
    bench: Bench, task: Task, round_: Round, inspector: Inspector, now: Callable[[], float]
) -> None:
    """Runs until the freeze was sent; it is ended from outside once the chain has moved on."""
    topic = Topic(bench.task, round_.opening, "survivors")
    bench.board.open(topic, _checker(bench, round_))
    began, asked, me = task.deadline - task.params.freeze_seconds, now(), bench.position(round_)
    my_turn = committee_turn(round_, me)
    reached: float | None = None
    while True:
        if not may_rest_on(bench, round_, late=now() - began >= JUDGING_PART * task.params.freeze_seconds):
            await asyncio.sleep(LOOK_SECONDS)
            continue
        waited = now() - began - LEADER_SECONDS * my_turn
        ready = inspector.settled(round_) or waited >= task.params.freeze_seconds / 3
        content = _content(bench, round_, inspector, topic, leads=waited >= 0 and ready)
        if content is not None and me not in bench.board.known(topic):
            _sign(bench, round_, topic, content)
        leading = bench.board.leading(topic, bench.seated(round_))
        if leading is not None and len(leading[1]) >= round_.threshold:
            reached = reached or now()
            if now() - reached >= STAGGER_SECONDS * my_turn:
                await _send(bench, round_, *leading)
                return
        elif now() - asked >= ASK_SECONDS:
            asked = now()
            bench.board.exchange(topic, bench.committee_peers(inspector.layout), _mine(bench, topic, me))
        await asyncio.sleep(LOOK_SECONDS)


def may_rest_on(bench: Bench, round_: Round, *, late: bool) -> bool:
    """Whether to take part in a freeze on what is pending: not where it is wrong, nor, before it is late, untried."""
    task = bench.latest()
    match Basis.SOUND if task is None else basis_of(task, bench.me, bench.verdict):
        case Basis.WRONG:
            log.warning("not signing on a wrong proposal", round=round_.number, attempt=round_.attempt)
            return False
        case Basis.OPEN:
            return late
    return True


def _mine(bench: Bench, topic: Topic, me: int) -> list[Word]:
    return [word for position, word in bench.board.known(topic).items() if position == me]


def _content(bench: Bench, round_: Round, inspector: Inspector, topic: Topic, *, leads: bool) -> bytes | None:
    """What to sign now, if anything: what was signed before, what leads, or my own choice where it is my turn."""
    signed = bench.journal.signed(bench.task, round_.opening, topic.kind)
    if signed is not None:
        return signed[0]
    disputes, bound = inspector.disputes(), bench.journal.bound(bench.task, round_.number, round_.base_root)
    leading = bench.board.leading(topic, bench.seated(round_))
    if leading is not None:
        choice, bitmap, _ = unpack(leading[0], round_.domain)
        refused = acceptable(inspector.layout, choice, round_.commitments.keys(), inspector.valid, disputes)
        if not refused and _may_open(bench, round_, bound, bitmap):
            return leading[0]
        log.info("choice not signed", round=round_.number, why=sorted(f"{w.name} {p}" for w, p in refused))
    if not leads:
        return None
    valid = inspector.valid if bound is None else inspector.valid & from_bitmap(bound[32:], round_.domain)
    try:
        chosen = choose_survivors(inspector.layout, valid, disputes)
        if _may_open(bench, round_, bound, to_bitmap(chosen.survivors, round_.domain)):
            return pack(chosen, round_.domain)
        log.warning("waiting for all who were opened before", round=round_.number, attempt=round_.attempt)
        return None
    except TooFewSurvivors as error:
        log.warning("no survivors to sign", round=round_.number, attempt=round_.attempt, why=str(error))
        return None


def _may_open(bench: Bench, round_: Round, bound: bytes | None, bitmap: bytes) -> bool:
    """Whether these survivors may be opened beside those that were, on this base, before a proposal was refuted."""
    word = round_.seed + bitmap
    return bound is None or bound == word or repeats(bound, word, liars(bench.entries()))


def _sign(bench: Bench, round_: Round, topic: Topic, content: bytes) -> None:
    _, bitmap, pairs = unpack(content, round_.domain)
    signature = sign_survivors(bench.signer, bench.domain, round_, bitmap, pairs)
    if not bench.journal.sign_once(bench.task, round_.opening, topic.kind, content, signature):
        return
    word = Word(bench.position(round_), content, signature)
    bench.board.exchange(topic, bench.committee_peers(bench.layout(round_)), [word])
    log.info("survivors signed", round=round_.number, attempt=round_.attempt, survivors=bitmap.hex())


async def _send(bench: Bench, round_: Round, content: bytes, words: list[Word]) -> None:
    _, bitmap, pairs = unpack(content, round_.domain)
    call = calls.freeze(bench.task, bitmap, pairs, [(word.position, word.signature) for word in words])
    receipt = await bench.send(f"freeze/{round_.opening}", call)
    log.info("survivors frozen", round=round_.number, attempt=round_.attempt, gas=receipt.gas_used)
