"""Analyses: every answer is that over the union of all participants' records, and what could not be is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.rules import rule_of
from foedus.learning.analysis_columns import columns_of, statistics
from foedus.learning.analysis_file import build_analysis, load_analysis_file
from foedus.learning.analysis_queries import BadQuery, Query
from foedus.learning.analysis_results import Answer, answers, sums
from foedus.learning.analysis_terms import Analysis, analysis_of, check_analysis
from foedus.learning.analysis_words import describe
from foedus.learning.app import Partition
from foedus.learning.build import Built
from foedus.learning.client import open_client
from foedus.learning.disclosure import warnings
from foedus.learning.errors import AppError, DataError, TaskFileError
from foedus.learning.noise import noise_of
from foedus.protocol.ids import RoundNumber
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import InvalidTerms, Terms
from foedus.simulation.simulate import simulate

APP = """
DATA = []


def records(partition):
    return DATA[partition.index]
"""

QUERIES = """
[analysis]
name = "survey"
app = "app.py"
records = 50

[[query]]
kind = "count"

[[query]]
kind = "count"
name = "answered"
column = "whole"

[[query]]
kind = "sum"
column = "whole"
low = -1000
high = 700

[[query]]
kind = "sum"
column = "real"
low = -0.3
high = 2.5

[[query]]
kind = "mean"
column = "real"
low = -0.3
high = 2.5

[[query]]
kind = "histogram"
column = "real"
low = -1
high = 2
bins = 7

[[query]]
kind = "histogram"
name = "words"
column = "word"
values = ["a", "b", "7"]

[[query]]
kind = "topk"
column = "word"
values = ["a", "b", "c", "7"]
k = 2

[rounds]
max_participants = 6
min_participants = 3
min_survivors = 3

[privacy]
g_min = 3
consent = true
"""

PRIVATE = """
[analysis]
name = "private survey"
app = "app.py"
records = 10

[[query]]
kind = "histogram"
column = "real"
low = 0
high = 1
bins = 2000

[[query]]
kind = "sum"
column = "real"
low = 0
high = 6

[rounds]
max_participants = 8
min_participants = 8

[privacy]
epsilon = 4.0
delta = 1e-5
"""

MEAN = """
[analysis]
name = "private mean"
app = "app.py"
records = 500

[[query]]
kind = "mean"
column = "real"
low = 0
high = 4

[rounds]
max_participants = 8
min_participants = 8

[privacy]
epsilon = 100.0
delta = 1e-5
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a query file, with pieces of its text replaced, beside the app."""

    def make(*changes: tuple[str, str], content: str = QUERIES) -> Path:
        for old, new in changes:
            assert old in content
            content = content.replace(old, new)
        (tmp_path / "app.py").write_text(APP)
        (tmp_path / "query.toml").write_text(content)
        return tmp_path / "query.toml"

    return make


def asked_over(built: Built, data: list[dict[str, Any]], mode: str | None = "plain") -> dict[str, Answer]:
    """The answers by name, of one participant for each entry of `data`."""
    built.app.module.DATA = data
    terms, manifest = built.terms, built.manifest
    clients = [open_client(built.app, terms, manifest, at, count=len(data)) for at in range(len(data))]
    result = simulate(built, clients, mode=mode)
    assert result.stopped is None
    asked = check_analysis(terms, manifest)
    found = answers(terms, manifest, asked, result.model, result.rounds[-1].total_weight)
    return {answer.query.name: answer for answer in found}


WHOLE = st.integers(-5000, 5000) | st.none()
REAL = st.floats(allow_nan=True, allow_infinity=True, width=64)
WORD = st.sampled_from(["a", "b", "c", "other", "", None, 7, 7.0])
ROW = st.tuples(WHOLE, REAL, WORD)
PARTIES = st.lists(st.lists(ROW, max_size=50), min_size=3, max_size=6)


def as_columns(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(("whole", "real", "word"))}


@settings(max_examples=60, deadline=None)
@given(parties=PARTIES)
def test_every_answer_is_that_over_the_union_of_the_records(tmp_path_factory, parties) -> None:
    folder = tmp_path_factory.mktemp("survey")
    (folder / "app.py").write_text(APP)
    (folder / "query.toml").write_text(QUERIES)
    built = build_analysis(load_analysis_file(folder / "query.toml"))
    found = asked_over(built, [as_columns(rows) for rows in parties])
    union = [row for rows in parties for row in rows]
    whole = np.array([row[0] for row in union if row[0] is not None], dtype=np.int64)
    real = np.array([row[1] for row in union if not math.isnan(row[1])], dtype=np.float64)
    words = Counter("7" if row[2] in (7, 7.0) else row[2] for row in union if row[2] not in (None, ""))
    assert (found["count of records"].value, found["answered"].value) == (len(union), whole.size)
    assert found["sum of whole"].value == int(whole.clip(-1000, 700).sum())
    exact, step = math.fsum(real.clip(-0.3, 2.5).tolist()), found["sum of real"].step
    assert abs(found["sum of real"].value - exact) <= len(parties) * step / 2 < 0.001
    if real.size:
        assert found["mean of real"].value == found["sum of real"].value / real.size
    else:
        assert found["mean of real"].value is None
    counted = np.histogram(real.clip(-1, 2), bins=np.linspace(-1, 2, 8))[0]
    assert [count for _, count in found["histogram of real"].cells] == counted.tolist()
    assert found["words"].cells == tuple((word, words[word]) for word in ("a", "b", "7"))
    assert found["words"].other == words["c"] + words["other"]
    ranked = sorted(("a", "b", "c", "7"), key=lambda word: -words[word])
    assert found["topk of word"].cells == tuple((word, words[word]) for word in ranked[:2])
    assert found["topk of word"].other == words["other"]


def test_masked_sums_are_the_same(write: Write) -> None:
    built = build_analysis(load_analysis_file(write()))
    data = [as_columns([(at, at / 3, "a")] * (10 + at)) for at in range(6)]
    assert asked_over(built, data, None) == asked_over(built, data)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from((2, 3, 8, 9, 100, 1000, 1024)),
    st.integers(1, 17),
    st.lists(st.fractions(-1, 1), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_a_sum_is_read_from_the_mean_without_error(tmp_path_factory, most, size, parts, present) -> None:
    """Whatever the number of participants and records, up to the largest sums that the terms admit."""
    records = 1 << size - 1
    folder = tmp_path_factory.mktemp("grid")
    changes = (("max_participants = 6", f"max_participants = {most}"), ("records = 50", f"records = {records}"))
    content = QUERIES.replace("min_participants = 3\n", "").replace("g_min = 3", "g_min = 2")
    for old, new in (*changes, ("min_survivors = 3", "min_survivors = 2")):
        content = content.replace(old, new)
    (folder / "query.toml").write_text(content)
    terms = load_analysis_file(folder / "query.toml").draft
    assert records << terms.update_bits <= 1 << 24  # else a trainer's float32 would round
    weight = max(1, round(present * most))
    totals = np.array([round(part * weight * terms.max_value) for part in parts], dtype=np.int32)
    zeros = np.zeros(totals.size, dtype=np.int32)
    model, _ = rule_of(terms).step(zeros, zeros[:0], totals, weight)
    asked = Analysis((Query("histogram", "h", "c", 0.0, 1.0, bins=totals.size),), records)
    assert sums(terms, asked, model, weight) == [Fraction(int(total), 1 << terms.update_bits) for total in totals]


def test_noise_hides_a_participant_and_its_size_is_told(write: Write) -> None:
    """Over 2,000 cells, the errors have the deviation that is told."""
    built = build_analysis(load_analysis_file(write(content=PRIVATE)))
    assert noise_of(built.terms, built.manifest) is not None
    data = [{"real": [at / 8] * 10} for at in range(8)]
    found = asked_over(built, data)
    cells = np.array([count for _, count in found["histogram of real"].cells], dtype=np.float64)
    truth = np.histogram(np.repeat(np.arange(8) / 8, 10), found["histogram of real"].query.edges)[0]
    deviation = found["histogram of real"].deviation
    assert (cells - truth).std() == pytest.approx(deviation, rel=0.1)
    assert deviation > 10  # the multiplier is above 1, and one participant's records change a cell by up to 10
    total = found["sum of real"]
    assert total.deviation == pytest.approx(8 * deviation)
    assert abs(total.value - 35.0) < 8 * total.deviation
    again = asked_over(built, data)["histogram of real"].cells
    assert again != found["histogram of real"].cells


def test_the_deviation_of_a_mean_is_told(write: Write) -> None:
    """Over 150 analyses of the same records."""
    path = write(content=MEAN)
    built = build_analysis(load_analysis_file(path))
    data = [{"real": [at / 2] * 500} for at in range(8)]
    found = [asked_over(built, data)["mean of real"] for _ in range(150)]
    told = float(np.median([answer.deviation for answer in found]))
    assert np.std([answer.value for answer in found]) == pytest.approx(told, rel=0.25)
    assert abs(np.mean([answer.value for answer in found]) - 1.75) < 5 * told / math.sqrt(150)


def test_nobody_answers_from_more_records_than_was_agreed(write: Write) -> None:
    built = build_analysis(load_analysis_file(write()))
    built.app.module.DATA = [as_columns([(1, 1.0, "a")] * 51)]
    client = open_client(built.app, built.terms, built.manifest, 0)
    with pytest.raises(DataError, match="51 records where the analysis admits 50"):
        client.update(built.initial_lanes, RoundNumber(1))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"whole": [1, "x"], "real": [1.0, 2.0], "word": ["a", "b"]}, "column whole holds 'x': a sum needs numbers"),
        ({"whole": [1], "real": [1.0]}, r"no column word: records\(partition\) gives whole, real"),
        ({"whole": [1], "real": [1.0, 2.0], "word": ["a"]}, "different lengths: whole 1, real 2, word 1"),
        ({"whole": [[1, 2]], "real": [1.0], "word": ["a"]}, r"column whole has shape \(1, 2\)"),
        ([1, 2, 3], "returned list: return a dict of columns"),
        ({}, "returned dict: return a dict of columns"),
    ],
)
def test_records_that_do_not_fit_are_named(write: Write, given_: Any, message: str) -> None:
    built = build_analysis(load_analysis_file(write()))
    built.app.module.DATA = [given_]
    client = open_client(built.app, built.terms, built.manifest, 0)
    with pytest.raises(DataError, match=message):
        client.update(built.initial_lanes, RoundNumber(1))


def test_columns_may_be_arrays_of_any_kind() -> None:
    columns = columns_of(
        {"n": np.arange(4, dtype=np.int16), "b": np.array([True, False, True, True]), "t": tuple("abca")}
    )
    assert statistics(Query("sum", "s", "n", 0.0, 2.0), columns) == [5.0]
    assert statistics(Query("sum", "s", "b", 0.0, 2.0), columns) == [3.0]
    assert statistics(Query("histogram", "h", "b", values=("true", "false")), columns) == [3.0, 1.0, 0.0]
    assert statistics(Query("topk", "t", "t", values=("a", "b"), k=1), columns) == [2.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("records = 50\n", ""), "analysis.records is missing"),
        (("records = 50", "records = 16777217"), "analysis.records = 16777217: must be a whole number"),
        (("max_participants = 6", "max_participants = 6\nrounds = 2"), "rounds.rounds = 2: an analysis has one round"),
        (("consent = true", ""), "privacy.consent = None: g_min = 3 opens sums of fewer than 8"),
        (('kind = "count"\n', 'kind = "median"\n'), "query 1: kind = 'median': must be one of count, sum"),
        (("high = 700", "high = -1000"), "query 3: low = -1000: .* low below high"),
        (("bins = 7", "bin = 7"), "query 6: bin = 7: is not known to a histogram"),
        (("bins = 7", 'values = ["x"]'), "query 6: low = -1: does not belong to this histogram"),
        (("k = 2", "k = 5"), "query 8: k = 5: 5 must be a whole number from 1 to 4"),
        (('["a", "b", "7"]', '["a", "a"]'), "query 7: values = .*all distinct"),
        (('["a", "b", "7"]', '["a", 7]'), "query 7: values = .*7 must be text"),
        (('name = "words"', 'name = "answered"'), "query 7: name = 'answered': another has it"),
        (('column = "word"\nvalues', "values"), "query 7: column = None: a histogram is of a column"),
        (("[[query]]", "[[other]]"), "other is not known"),
        (("[privacy]", "[update]\nclip = 2.0\n[privacy]"), "update is not known"),
    ],
)
def test_a_query_file_that_cannot_be_asked_is_refused_with_the_place(write: Write, change, message: str) -> None:
    with pytest.raises(TaskFileError, match=message):
        build_analysis(load_analysis_file(write(change)))


def test_more_records_than_a_lane_has_room_for_are_refused(write: Write) -> None:
    more = (("records = 50", "records = 1000000"), ("max_participants = 6", "max_participants = 200"))
    with pytest.raises(TaskFileError, match=r"analysis\.records = 1000000: a lane has room for 671088 with 200"):
        load_analysis_file(write(*more))
    noisy = (("records = 10", "records = 5000000"),)
    with pytest.raises(TaskFileError, match=r"they need with their noise .*: fewer records or participants"):
        load_analysis_file(write(*noisy, content=PRIVATE))


def test_terms_that_would_bend_the_answers_are_refused(write: Write) -> None:
    """A sponsor that makes terms by hand cannot have a participant answer on another grid, or twice."""
    built = build_analysis(load_analysis_file(write()))
    terms, manifest = built.terms, built.manifest
    assert check_analysis(terms, manifest) is not None
    other = Manifest.of({"x": np.zeros(3)})
    twice = replace(terms, params=replace(terms.params, rounds=2, epoch_rounds=2))
    text = str(terms.config["analysis"])
    for bad, shape, message in (
        (terms, other, "manifest"),
        (replace(terms, model="1" * 64), manifest, "zero at first"),
        (twice, manifest, "one round"),
        (replace(terms, server_lr=1), manifest, "fedavg"),
        (replace(terms, rule="fedavgm"), manifest, "fedavg"),
        (replace(terms, scale_bits=terms.scale_bits - 1), manifest, "scale_bits"),
        (replace(terms, max_value=terms.max_value - 1), manifest, "max_value"),
        (replace(terms, clip_norm=1.0), manifest, "clip_norm"),
        (replace(terms, config={"analysis": text + " "}), manifest, "canonical"),
        (replace(terms, config={"analysis": text.replace("topk", "top")}), manifest, "kind"),
        (replace(terms, config={"analysis": 3}), manifest, "no analysis"),
        (replace(terms, config={"analysis": "[" * 100}), manifest, "no analysis"),
        (replace(terms, config={"analysis": '{"queries":[],"records":5}'}), manifest, "needs queries"),
    ):
        with pytest.raises(InvalidTerms, match=message):
            check_analysis(bad, shape)
        if bad.config == terms.config or shape is manifest:
            with pytest.raises(InvalidTerms):
                open_client(built.app, bad, shape, 0)


def test_the_terms_hold_the_queries(write: Write) -> None:
    """Whoever agrees to the terms' digest agrees to these queries and no others."""
    built = build_analysis(load_analysis_file(write()))
    read = Terms.from_bytes(built.terms.to_bytes())
    assert analysis_of(read) == analysis_of(built.terms)
    changed = build_analysis(load_analysis_file(write(("high = 700", "high = 701"))))
    assert changed.app.digest == built.app.digest
    assert changed.terms.digest != built.terms.digest


def test_whoever_joins_reads_every_query_the_group_size_and_the_noise(write: Write) -> None:
    terms = build_analysis(load_analysis_file(write())).terms
    told = "\n".join(warnings(terms))
    for query in analysis_of(terms).queries:
        assert f"{query.name}: {describe(query)}." in told
    assert "the sum of whole; values below -1000 or above 700 count as these bounds" in told
    assert "Only sums over 3 participants or more are opened." in told
    assert "no differential-privacy noise" in told
    assert "model" not in told.replace("trains no model", "")
    private = "\n".join(warnings(build_analysis(load_analysis_file(write(content=PRIVATE))).terms))
    assert "epsilon = 4 at delta = 1e-05" in private
    assert "Only sums over 8 participants" in private


def test_an_app_without_records_is_refused_when_the_analysis_is_made(write: Write, tmp_path: Path) -> None:
    path = write()
    (tmp_path / "app.py").write_text("def model(): ...\ndef data(partition): ...\n")
    with pytest.raises(AppError, match="no function records"):
        build_analysis(load_analysis_file(path))


def test_a_query_and_its_row_are_the_same(write: Write) -> None:
    for query in analysis_of(build_analysis(load_analysis_file(write())).terms).queries:
        assert Query.of(query.row()) == query
    with pytest.raises(BadQuery, match="does not belong to this count"):
        Query("count", "n", "c", low=1.0)


def test_the_data_root_is_over_the_columns(write: Write) -> None:
    built = build_analysis(load_analysis_file(write()))
    built.app.module.DATA = [as_columns([(1, 1.0, "a"), (2, math.inf, None)]), as_columns([(1, 1.0, "b")])]
    roots = [open_client(built.app, built.terms, built.manifest, at).data_root(bytes(32)) for at in (0, 1)]
    assert roots[0] != roots[1]
    assert built.app.records(Partition(0, 2)) == built.app.module.DATA[0]


def test_an_analysis_runs_where_torch_is_not_installed() -> None:
    query = Path(__file__).parents[2] / "examples" / "heart_survey" / "query.toml"
    without = "import sys; sys.modules['torch'] = None; from foedus.node.cli import main; main()"
    words = [sys.executable, "-c", without, "analyze", "run", str(query)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "most frequent kinds of chest pain" in done.stdout
    assert "█" in done.stdout
