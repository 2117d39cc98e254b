"""How values read on a page: money, short hashes, times, durations, and a face for every account."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from hashlib import sha256

from markupsafe import Markup

WEI_PER_ETHER = Decimal(10) ** 18


def ether(amount: str | None) -> str:
    """Wei as ether: up to six decimals, never rounded up to more than it is."""
    if amount is None:
        return "—"
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(amount) / WEI_PER_ETHER
        shown = exact.quantize(Decimal("0.000001"), rounding="ROUND_DOWN")
    text = f"{shown:f}".rstrip("0").rstrip(".")
    return f"{text} ETH" if shown or not exact else "< 0.000001 ETH"


def money(amount: str | None, token: str | None) -> str:
    """Ether, or whole units of a token: nobody vouches for a token's name or for where its decimal point is."""
    if token is None or amount is None:
        return ether(amount)
    return f"{int(amount):,} {'unit' if amount == '1' else 'units'}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def share(basis_points: int) -> str:
    """Basis points as per cent."""
    return f"{basis_points / 100:g} %"


def short(text: str | None) -> str:
    """A hash, address or CID by its ends."""
    if text is None:
        return "—"
    return text if len(text) <= 16 else f"{text[:8]}…{text[-6:]}"


def when(seconds: float) -> str:
    """A moment in UTC, for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(seconds: float) -> str:
    """A moment in UTC, for machines (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lasting(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = max(0, int(seconds))
    for size, unit, below, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def title(name: str) -> str:
    """An enum's name as a word: COMMIT is Commit, TOO_FEW_COMMITS is Too few commits."""
    return name.replace("_", " ").capitalize()


def number(value: float) -> str:
    """A metric's value."""
    return f"{value:.4g}"


def face(address: str | None) -> Markup:
    """A small mirrored pattern in a colour, both from the address: the same account looks the same everywhere."""
    if address is None:
        return Markup("")
    bits = sha256(address.lower().encode()).digest()
    cells = [
        f'<rect x="{column}" y="{row}" width="1.05" height="1.05"/>'
        for row in range(5)
        for column in range(5)
        if bits[row * 3 + min(column, 4 - column)] & 1
    ]
    hue = int.from_bytes(bits[16:18], "big") % 360
    return Markup('<svg class="face" viewBox="-1 -1 7 7" aria-hidden="true" fill="hsl({} 55% 52%)">{}</svg>').format(
        hue, Markup("".join(cells))
    )
