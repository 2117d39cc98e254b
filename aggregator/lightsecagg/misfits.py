"""Which of more pieces than decode are wrong: those that do not lie on the polynomials of all others.

Pieces are long, so a random map that nobody knew when they were made (`dealing.Challenge`) shrinks each of them to a
few elements first, of which the wrong ones are found by Welch and Berlekamp's decoder (US patent 4,633,470, 1986).
"""

from __future__ import annotations

from collections.abc import Mapping

from foedus.aggregator.lightsecagg.coded import CHECKS, Code
from foedus.aggregator.lightsecagg.dealing import Challenge
from foedus.aggregator.lightsecagg.field import Elements, P, lagrange


class Untellable(ValueError):
    """Pieces that do not fit together, too many of them to tell which are wrong."""

    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"{have} pieces, of which {need} decode, do not fit together: nobody can tell which are wrong")
        self.have, self.need = have, need


def misfits(code: Code, challenge: Challenge, pieces: Mapping[int, Elements]) -> frozenset[int]:
    """The places of the wrong ones among pieces of shape (cut_lanes,) each, `needed` of them or more.

    With `needed` pieces nothing can be told, and nobody is named; with m more, up to m // 2 wrong ones are. Raises
    Untellable where more are wrong (or, where those lie on other polynomials together, may name honest ones).
    """
    values = {place: challenge.of(piece).tolist() for place, piece in sorted(pieces.items())}
    found: set[int] = set()
    for check in range(CHECKS):
        left = {place: row[check] for place, row in values.items() if place not in found}
        found |= wrong_values(left, code.needed)
    return frozenset(found)


def wrong_values(values: Mapping[int, int], degree: int) -> frozenset[int]:
    """The places whose values do not lie on the one polynomial of degree below `degree` that goes through all but
    (len(values) - degree) // 2 of them or more. Raises Untellable where there is none."""
    most = (len(values) - degree) // 2
    equations = [
        [pow(x, k, P) for k in range(degree + most)]
        + [-y * pow(x, k, P) % P for k in range(most)]
        + [y * pow(x, most, P) % P]
        for x, y in values.items()
    ]
    solved = _solve(equations)
    if solved is None:
        raise Untellable(len(values), degree)
    locator = [*solved[degree + most :], 1]
    trusted = [x for x in values if sum(c * pow(x, k, P) for k, c in enumerate(locator)) % P][:degree]
    factors = dict(zip(values, lagrange(trusted, list(values)), strict=True))
    wrong = [
        x for x, y in values.items() if y != sum(f * values[t] for f, t in zip(factors[x], trusted, strict=True)) % P
    ]
    if len(wrong) > most:
        raise Untellable(len(values), degree)
    return frozenset(wrong)


def _solve(equations: list[list[int]]) -> list[int] | None:
    """A solution of linear equations modulo p, each given as its factors and its right side; unknowns that nothing
    fixes are zero. None where there is none."""
    unknowns, done = len(equations[0]) - 1, 0
    pivots: list[int] = []
    for column in range(unknowns):
        at = next((row for row in range(done, len(equations)) if equations[row][column]), None)
        if at is None:
            continue
        equations[done], equations[at] = equations[at], equations[done]
        inverse = pow(equations[done][column], -1, P)
        pivot = equations[done] = [value * inverse % P for value in equations[done]]
        for row, values in enumerate(equations):
            if row != done and values[column]:
                factor = values[column]
                equations[row] = [(value - factor * own) % P for value, own in zip(values, pivot, strict=True)]
        pivots.append(column)
        done += 1
    if any(row[-1] for row in equations[done:]):
        return None
    found = [0] * unknowns
    for row, column in enumerate(pivots):
        found[column] = equations[row][-1]
    return found
