"""Terms: canonical, digest-bound, and refused with the field, its value and the remedy."""

import json

import pytest

from foedus.protocol.terms import InvalidTerms, Shares, Terms
from tests.protocol.samples import params, terms


def test_terms_round_trip_and_the_digest_is_that_of_the_bytes():
    made = terms(config={"lr": 0.1, "steps": 5, "name": "x", "flag": True})
    again = Terms.from_bytes(made.to_bytes())
    assert again == made
    assert again.digest == made.digest
    assert terms(seed=1).digest != made.digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_bits": 31}, "scale_bits = 31"),
        ({"max_value": 1 << 25}, r"max_participants \* max_weight \* max_value = 268435456: must not exceed 2\^27"),
        ({"g_min": 1}, "g_min = 1"),
        ({"g_min": 5}, "g_min = 5: must be a whole number from 2 to 4"),
        ({"mode": "clear"}, "mode = 'clear': must be one of masked, plain"),
        ({"app": "AA" * 32}, "64 lower-case hex digits"),
        ({"name": ""}, "name = ''"),
        ({"max_weight": 3}, "uniform needs 1"),
        ({"clip_norm": float("nan")}, "clip_norm = nan"),
        ({"neighbours": 3}, "neighbours = 3: must be even"),
        ({"shares": Shares(presence=9000)}, "shares = 17200"),
        ({"config": {"lr": float("inf")}}, "config.lr = inf"),
        ({"params": params(rounds=0)}, "rounds = 0"),
        ({"params": params(min_participants=9)}, "min_participants = 9: must be a whole number from 2 to 8"),
        ({"params": params(commit_seconds=0)}, "commit_seconds = 0"),
    ],
)
def test_what_cannot_be_honoured_is_refused(changes, message):
    with pytest.raises(InvalidTerms, match=message):
        terms(**changes)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda raw: b"not json",
        lambda raw: raw + b" ",
        lambda raw: raw.replace(b'"seed":0', b'"seed":0,"extra":1'),
        lambda raw: json.dumps([1]).encode(),
        lambda raw: b"x" * 70_000,
        lambda raw: raw.replace(b'"rounds":3', b'"rounds":3.0'),
    ],
)
def test_foreign_bytes_are_refused(mangle):
    with pytest.raises(InvalidTerms):
        Terms.from_bytes(mangle(terms().to_bytes()))


def test_absences_are_those_of_a_full_committee():
    assert terms().absences == 2
