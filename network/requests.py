"""One question, one answer, one stream: both sides bounded in bytes, time and number.

Request: a 4-byte big-endian length and the payload. Answer: one status byte (0 accepted, 1 refused), then a frame that
holds the response, or a refusal's code. A handler's failure reaches the requester as the code `internal` and no more.
"""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog
import trio

from foedus.network.errors import Garbage, PeerMisbehaved, PeerUnreachable, Refused, RequestRefused
from foedus.network.stream import Stream
from foedus.protocol.ids import PeerId

log = structlog.get_logger(__name__)

REQUESTS_PER_PEER = 16
"""Requests of one protocol that one peer may have under way; the next is refused as `busy`."""

READ_SECONDS = 30.0
"""For the whole request to arrive, and for the whole answer to leave."""

HANDLER_SECONDS = 120.0
ACCEPTED, REFUSED = b"\0", b"\1"
CODE_LIMIT = 64
_CODE = re.compile(r"[A-Za-z0-9-]{1,64}")

Answer = Callable[[PeerId, bytes], Awaitable[bytes]]
Blame = Callable[[PeerId, str], None]


class Responder:
    """Serves one protocol: reads a request, asks the handler, writes its answer."""

    def __init__(self, protocol: str, answer: Answer, request_limit: int, response_limit: int, blame: Blame) -> None:
        self._protocol, self._answer, self._blame = protocol, answer, blame
        self._request_limit, self._response_limit = request_limit, response_limit
        self._busy: Counter[PeerId] = Counter()

    async def serve(self, stream: Stream) -> None:
        """Answer one request; whatever happens, nothing is raised."""
        peer = stream.peer
        try:
            with trio.fail_after(READ_SECONDS):
                request = await stream.read_frame(self._request_limit)
            status, body = await self._ask(peer, request)
            with trio.fail_after(READ_SECONDS):
                await _answer(stream, status, body)
        except PeerMisbehaved as error:
            self._blame(peer, f"{self._protocol}: {error.reason}")
            await self._refuse(stream, b"garbage")
        except (PeerUnreachable, trio.TooSlowError):
            await stream.reset()

    async def _refuse(self, stream: Stream, code: bytes) -> None:
        try:
            with trio.fail_after(1):
                await _answer(stream, REFUSED, code)
        except (PeerUnreachable, trio.TooSlowError):
            await stream.reset()

    async def _ask(self, peer: PeerId, request: bytes) -> tuple[bytes, bytes]:
        if self._busy[peer] >= REQUESTS_PER_PEER:
            return REFUSED, b"busy"
        self._busy[peer] += 1
        try:
            with trio.fail_after(HANDLER_SECONDS):
                response = await self._answer(peer, request)
            if len(response) <= self._response_limit:
                return ACCEPTED, response
            log.error("response too large", protocol=self._protocol, size=len(response), limit=self._response_limit)
        except Refused as refusal:
            if isinstance(refusal, Garbage):
                self._blame(peer, f"{self._protocol}: bad request")
            if _CODE.fullmatch(refusal.code):
                return REFUSED, refusal.code.encode()
            log.error("refusal code is not a short word", protocol=self._protocol, code=refusal.code)
        except trio.TooSlowError:
            log.error("request handler too slow", protocol=self._protocol, seconds=HANDLER_SECONDS)
            return REFUSED, b"timeout"
        except Exception as error:
            log.error("request handler failed", protocol=self._protocol, peer=peer, error=repr(error), at=where(error))
        finally:
            self._busy[peer] -= 1
            if not self._busy[peer]:
                del self._busy[peer]
        return REFUSED, b"internal"


async def _answer(stream: Stream, status: bytes, body: bytes) -> None:
    await stream.write(status + len(body).to_bytes(4, "big") + body)
    await stream.close()


def where(error: BaseException) -> str:
    """The innermost file and line of an exception: what a log may show, without the values around it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"


async def ask(stream: Stream, protocol: str, payload: bytes, response_limit: int) -> bytes:
    """Send one request and read its answer. Raises RequestRefused, PeerMisbehaved, PeerUnreachable."""
    await stream.write_frame(payload)
    status = bytes(await stream.read_exactly(1))
    if status == ACCEPTED:
        response = await stream.read_frame(response_limit)
        await stream.close()
        return response
    if status != REFUSED:
        raise PeerMisbehaved(stream.peer, f"{protocol}: answer of unknown status")
    code = (await stream.read_frame(CODE_LIMIT)).decode("ascii", "replace")
    await stream.close()
    if _CODE.fullmatch(code) is None:
        raise PeerMisbehaved(stream.peer, f"{protocol}: refusal code is not a short word")
    raise RequestRefused(stream.peer, protocol, code)
