"""The sum of a group's secrets from its parts, some of which may be lies.

Honest parts lie on polynomials of degree below t. A wrong sum of secrets shows: what it opens is uniform, so it is out
of any honest range at once. So sums are tried until one is likely, which is then right; who does not fit it, lied.
Where no sum is likely, either too many parts are wrong, or a participant's vector does not fit what it dealt. The
latter is taken for true once so many parts agree that more than half of the members to spare would have had to lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, islice

from foedus.aggregator.rlwe.vectorshares import Elements, centred, opened, strays, wrong

TRIES = 400
"""Ways of leaving parts out that are tried, about a millisecond each: all ways with up to two lies among 27 parts."""


@dataclass(frozen=True, slots=True)
class Settled:
    """secrets: the sum of secrets; good: the coordinates whose parts make it, as many as are needed; wrong: those whose
    parts do not fit it."""

    secrets: Elements = field(repr=False)
    good: tuple[int, ...]
    wrong: frozenset[int]


def settle(
    shares: Mapping[int, Elements],
    threshold: int,
    members: int,
    likely: Callable[[Elements], bool],
    digest: Callable[[bytes], bytes],
) -> Settled | None:
    """What parts by coordinate say, or None while they do not settle it.

    members: how many there could be; likely: whether a sum of secrets opens something honest; digest: to 32 bytes.
    """
    if len(shares) < threshold:
        return None
    best: Settled | None = None
    for left in _ways(shares, threshold, digest):
        secrets = centred(opened(left, threshold))
        good, off = _fitting(shares, left, threshold)
        if likely(secrets):
            return Settled(secrets, good[:threshold], off)
        if best is None or len(good) > len(best.good):
            best = Settled(secrets, good, off)
        if not off:
            break
    needed = threshold + (members - threshold + 1) // 2
    if best is None or len(best.good) < needed:
        return None
    return Settled(best.secrets, best.good[:needed], best.wrong)


def _fitting(
    shares: Mapping[int, Elements], left: Mapping[int, Elements], threshold: int
) -> tuple[tuple[int, ...], frozenset[int]]:
    off = strays(shares, sorted(left)[:threshold])
    return tuple(x for x in sorted(shares) if x not in off), off


def _ways(
    shares: Mapping[int, Elements], threshold: int, digest: Callable[[bytes], bytes]
) -> Iterator[Mapping[int, Elements]]:
    """Parts to make a sum of: all; those that the decoder trusts; then with one left out, with two, and so on."""
    yield shares
    found = wrong(shares, threshold, digest)
    if found:
        yield {x: share for x, share in shares.items() if x not in found}
    ways = (gone for count in range(1, len(shares) - threshold + 1) for gone in combinations(sorted(shares), count))
    for gone in islice(ways, TRIES):
        yield {x: share for x, share in shares.items() if x not in gone}
