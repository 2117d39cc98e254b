"""What gas may cost (EIP-1559), and how much more a transaction offers when it is sent again in another's place."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.protocol.ids import Wei


@dataclass(frozen=True, slots=True)
class Fee:
    """What a unit of gas costs, in wei (EIP-1559): in the next block, at most in a transaction, and of that the tip."""

    expected: Wei
    most: Wei
    tip: Wei


@dataclass(frozen=True, slots=True)
class FeeRules:
    """When a transaction counts as stuck, and how far its fee is raised.

    seconds, blocks: both must pass without it, though its nonce is the account's next; times_price: the most that a
    replacement offers, in multiples of what gas costs now (base fee and tip); most: the same in wei a unit of gas.
    """

    seconds: float = 24.0
    blocks: int = 3
    times_price: int = 10
    most: Wei = Wei(1_000 * 10**9)

    def cap(self, now: Fee) -> Wei:
        """The most that a replacement offers for a unit of gas, in wei."""
        return min(self.most, Wei(self.times_price * now.expected))

    def raised(self, most: Wei, tip: Wei, now: Fee) -> tuple[Wei, Wei]:
        """The fee cap and tip that take the place of these: each at least an eighth more, which clients ask of a
        replacement, and the price of gas now where that is higher. The cap may be past `cap`: that is for the caller.
        """
        least_most, least_tip = _eighth_more(most), _eighth_more(tip)
        wanted = max(least_most, min(now.most, self.cap(now)))
        return Wei(wanted), Wei(min(wanted, max(least_tip, now.tip)))


def _eighth_more(fee: Wei) -> int:
    return fee + fee // 8 + 1
