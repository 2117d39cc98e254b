"""Numbers on a page: curves stay inside their drawing, words never say more than the number."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.dashboard.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, bars, curve
from foedus.dashboard.words import ether, face, lasting, money, share, short, title

VALUES = st.one_of(st.none(), st.floats(-1e12, 1e12), st.just(math.nan), st.just(math.inf))


@given(st.lists(VALUES, max_size=40))
def test_curves_stay_inside_and_leave_gaps_for_what_is_unknown(values: list[float | None]) -> None:
    drawn = curve("loss", list(enumerate(values, 1)))
    known = [at for at, value in enumerate(values, 1) if value is not None and math.isfinite(value)]
    assert [mark.round for mark in drawn.marks] == known
    for mark in drawn.marks:
        assert LEFT - 0.01 <= mark.x <= WIDTH - RIGHT + 0.01
        assert TOP - 0.01 <= mark.y <= HEIGHT - BOTTOM + 0.01
    runs = sum(1 for at in known if at - 1 not in known)
    assert len(drawn.lines) == runs
    assert len(drawn.across) <= 12
    assert not drawn.marks or 2 <= len(drawn.up) <= 7


@given(st.lists(st.dictionaries(st.sampled_from(["COMMIT", "ATTEST"]), st.integers(0, 10**6)), max_size=9))
def test_bars_are_on_one_scale(rows: list[dict[str, int]]) -> None:
    for row, spans in zip(rows, bars(rows), strict=True):
        assert [span.seconds for span in spans] == list(row.values())
        assert all(span.x >= 0 and span.x + span.width <= 100.02 for span in spans)


@given(st.integers(0, 10**30))
def test_ether_is_never_more_than_it_is(amount: int) -> None:
    text = ether(str(amount))
    exact = Fraction(amount, 10**18)
    if text.startswith("<"):
        assert 0 < exact < Fraction("0.000001")
    else:
        assert 0 <= exact - Fraction(text.removesuffix(" ETH")) < Fraction("0.000001")


@given(st.integers(0, 2**96))
def test_units_of_a_token_are_whole_and_never_ether(amount: int) -> None:
    text = money(str(amount), "0x" + "70" * 20)
    digits, _, unit = text.replace("\N{NARROW NO-BREAK SPACE}", "").partition(" ")
    assert (int(digits), unit) == (amount, "unit" if amount == 1 else "units")
    assert money(str(amount), None) == ether(str(amount))


def test_what_is_not_known_is_no_amount() -> None:
    assert money(None, "0x" + "70" * 20) == money(None, None) == "—"
    assert (share(3000), share(1)) == ("30 %", "0.01 %")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (76, "1 min 16 s"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_short_words() -> None:
    assert short("0x" + "ab" * 20) == "0xababab…ababab"
    assert short(None) == "—"
    assert title("TOO_FEW_COMMITS") == "Too few commits"


def test_an_account_has_one_face() -> None:
    one, other = "0x" + "aB" * 20, "0x" + "12" * 20
    assert face(one) == face(one.lower()) != face(other)
    assert face(None) == ""
