"""The reader of traces finds every point once, and every second word."""

from __future__ import annotations

import pytest

from tests.node.crash_traces import Line, points_of, second_words


def passing(kind: str, nth: int, round_: int = 1, when: str = "before", **facts: object) -> Line:
    return {"round": round_, "when": when, "kind": kind, "nth": nth, **facts}


def test_of_each_kind_the_first_the_middle_and_the_last_time_are_points() -> None:
    blocks = [passing("write block", nth) for nth in range(1, 10)]
    traces = {
        "a": [*blocks, passing("offer reveal", 1), passing("too late", 1, 3)],
        "b": [*blocks, {"round": 1, "died": "before write block 9"}],
    }
    assert points_of(traces, rounds=2) == [
        "before offer reveal 1",
        "after offer reveal 1",
        *(f"{when} write block {nth}" for nth in (1, 5, 9) for when in ("before", "after")),
    ]


COMMIT = {"label": "commit/3", "nonce": 7, "raw": "r", "said": "s"}
WORD = {"topic": "survivors", "opening": 3}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (passing("send commit", 1, **COMMIT), passing("send commit", 1, **COMMIT | {"said": "t"})),
        (
            passing("send commit", 1, when="after", **COMMIT),
            passing("send poke", 1, when="after", **COMMIT | {"label": "poke/1", "raw": "q"}),
        ),
        (passing("offer reveal", 1, opening=3, offered="x"), passing("offer reveal", 1, opening=3, offered="y")),
        (
            passing("offer reveal", 1, opening=3, offered="x"),
            passing("answer reveal", 1, when="after", opening=3, offered="y"),
        ),
        (
            passing("say survivors", 1, words=[[2, "these", "signed"]], **WORD),
            passing("say survivors", 2, words=[[2, "those", "signed"]], **WORD),
        ),
    ],
)
def test_a_second_word_is_found_where_one_node_says_both(first: Line, second: Line) -> None:
    assert second_words({"a": [first, first], "b": [first]}) == []
    assert second_words({"a": [first], "b": [second]}) == []
    assert len(second_words({"a": [first, second]})) == 1
