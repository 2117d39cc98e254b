"""Signed words between committee members: who is known to have signed what for an opening, asked for and answered.

Anyone may ask; every word is checked against the roster before it is kept or passed on. What the words are worth is
settled on the chain.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from foedus.network.errors import Garbage, NetworkError
from foedus.network.host import Host
from foedus.protocol.groups import COMMITTEE_MAX
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Address, Opening, PeerId, Position

log = structlog.get_logger(__name__)

PROTOCOL = "/foedus/words/1"
MESSAGE_LIMIT = 1 << 17
CONTENT_LIMIT = 1024
SIGNATURE_BYTES = 65
MOST_WORDS = 2 * COMMITTEE_MAX
"""More than a draw of about 32 ever makes a committee."""
ANSWER_SECONDS = 5.0
EARLY_WORDS = 256
"""Words kept unchecked because their topic is not open here yet; the oldest give way."""

KIND = re.compile(r"survivors|attestation/[0-9a-f]{64}")
"""What is signed: the survivors, or the proposal of a digest."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a word is about."""

    task: Address
    opening: Opening
    kind: str


@dataclass(frozen=True, slots=True)
class Word:
    """A committee member's signed content, at most 1 KiB."""

    position: Position
    content: bytes
    signature: bytes


Check = Callable[[Word], bool]
"""Whether the word is signed by the roster's member at its position, who sits on the committee."""


def _encode(topic: Topic, words: Iterable[Word]) -> bytes:
    rows = [[word.position, word.content.hex(), word.signature.hex()] for word in words]
    return json.dumps([[topic.task, topic.opening, topic.kind], rows]).encode()


def _decode(blob: bytes) -> tuple[Topic, list[Word]]:
    """Raises Garbage for anything but what `_encode` writes."""
    try:
        (task, opening, kind), rows = load_json(blob)
        topic = Topic(Address(str(task)), Opening(int(opening)), kind)
        words = [Word(Position(int(p)), bytes.fromhex(content), bytes.fromhex(sig)) for p, content, sig in rows]
    except (ValueError, TypeError, OverflowError) as error:
        raise Garbage("not-words") from error
    if not (isinstance(kind, str) and KIND.fullmatch(kind)) or len(words) > MOST_WORDS:
        raise Garbage("not-words")
    if any(len(word.content) > CONTENT_LIMIT or len(word.signature) != SIGNATURE_BYTES for word in words):
        raise Garbage("not-words")
    return topic, words


class Noticeboard:
    """The checked words that this node knows, for every topic it takes part in."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._checks: dict[Topic, Check] = {}
        self._words: dict[Topic, dict[Position, Word]] = {}
        self._asking: dict[tuple[Topic, PeerId, bool], asyncio.Task[None]] = {}
        self._early: deque[tuple[Topic, Word]] = deque(maxlen=EARLY_WORDS)
        host.serve(PROTOCOL, self._answer, MESSAGE_LIMIT, MESSAGE_LIMIT)

    async def _answer(self, peer: PeerId, request: bytes) -> bytes:
        topic, words = _decode(request)
        self._hear(topic, words)
        return _encode(topic, self._words.get(topic, {}).values())

    def _hear(self, topic: Topic, words: Iterable[Word]) -> None:
        check = self._checks.get(topic)
        for word in words:
            if check is None:
                self._early.append((topic, word))
            elif word.position not in self._words[topic] and check(word):
                self._words[topic][word.position] = word

    def open(self, topic: Topic, check: Check) -> None:
        """Begin to keep words on a topic: those that pass `check`, the ones that came early included."""
        if topic in self._checks:
            return
        self._checks[topic], self._words[topic] = check, {}
        early = [word for about, word in self._early if about == topic]
        self._early = deque((item for item in self._early if item[0] != topic), maxlen=EARLY_WORDS)
        self._hear(topic, early)

    def known(self, topic: Topic) -> dict[Position, Word]:
        """The words on a topic, by position."""
        return dict(self._words.get(topic, {}))

    def leading(self, topic: Topic, among: Collection[Position]) -> tuple[bytes, list[Word]] | None:
        """The content that most of `among` signed (the lowest bytes among equals), and its words by position."""
        words = [word for word in self._words.get(topic, {}).values() if word.position in among]
        if not words:
            return None
        counts = Counter(word.content for word in words)
        content = min(counts, key=lambda content: (-counts[content], content))
        return content, sorted((w for w in words if w.content == content), key=lambda word: word.position)

    def forget_before(self, task: Address, opening: Opening) -> None:
        """Drop a task's topics of earlier openings."""
        for topic in [topic for topic in self._checks if topic.task == task and topic.opening < opening]:
            del self._checks[topic], self._words[topic]

    def exchange(self, topic: Topic, peers: Iterable[PeerId], mine: Iterable[Word] = ()) -> None:
        """Begin to tell each peer the words in `mine`, which were checked, and to hear what it knows.

        Returns at once: a peer that is slow holds nobody up. A peer that is still being asked is not asked again.
        """
        told = list(mine)
        self._hear(topic, told)
        request = _encode(topic, told)
        for peer in peers:
            key = (topic, peer, bool(told))
            if key not in self._asking:
                self._asking[key] = asyncio.create_task(self._ask(topic, peer, request))
                self._asking[key].add_done_callback(partial(self._answered, key))

    def _answered(self, key: tuple[Topic, PeerId, bool], _: object) -> None:
        self._asking.pop(key, None)

    async def _ask(self, topic: Topic, peer: PeerId, request: bytes) -> None:
        try:
            answer = await self._host.request(peer, PROTOCOL, request, MESSAGE_LIMIT, timeout=ANSWER_SECONDS)
            about, words = _decode(answer)
            if about == topic:
                self._hear(topic, words)
        except Garbage as fault:
            self._host.blame(peer, str(fault))
        except NetworkError as error:
            log.debug("no words", peer=peer, kind=topic.kind, error=str(error))

    def close(self) -> None:
        """Stop asking."""
        for asked in list(self._asking.values()):
            asked.cancel()
