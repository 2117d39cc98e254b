"""Terms: canonical, digest-bound, and refused with the field, its value and the remedy."""

import json

import pytest

from foedus.protocol.terms import InvalidTerms, Shares, Terms
from tests.protocol.samples import OPTIMISTIC, params, terms


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
        (
            {"params": params(answer_seconds=2**28)},
            "answer_seconds = 268435456: must be a whole number from 1 to 1677721",
        ),
        ({"params": params(unbond_seconds=89)}, "unbond_seconds = 89: must be a whole number from 90 to"),
        ({"params": params(attest_seconds=500)}, "unbond_seconds = 500: must be a whole number from 580 to"),
        ({"params": params(challenger_share=9001)}, "challenger_share = 9001"),
        ({"params": params(ahead=1)}, "ahead = 1: must be a whole number from 0 to 0"),
        ({"params": params(**OPTIMISTIC | {"ahead": 0})}, "ahead = 0: must be a whole number from 1 to 32"),
        ({"params": params(**OPTIMISTIC | {"ahead": 33})}, "ahead = 33"),
        ({"params": params(finality=1)}, "finality = 1: must be FAST or OPTIMISTIC"),
        ({"params": params(open=1)}, "open = 1: must be true or false"),
        ({"params": params(bond=2**96)}, "bond = "),
        ({"params": params(**OPTIMISTIC, stake=0, bond=0)}, r"stake \+ bond = 0: optimistic finality rests on those"),
        ({"params": params(**OPTIMISTIC, challenger_share=0)}, "challenger_share = 0: must be a whole number from 1"),
        ({"beta1": 1 << 16}, "beta1 = 65536"),
        ({"beta2": 1000}, "beta2 = 1000"),
        ({"tau": 0}, "tau = 0"),
        ({"rule": "median"}, "rule = 'median': must be one of fedavg, fedavgm, fedadam, fedyogi, fedadagrad"),
        (
            {"grouping": "redrawn"},
            "grouping = 'redrawn': groups are redrawn every round exactly where epoch_rounds is 1",
        ),
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
        lambda raw: raw.replace(b'"finality":0', b'"finality":2'),
        lambda raw: raw.replace(b'"finality":0', b'"finality":false'),
        lambda raw: raw.replace(b'"open":true', b'"open":1'),
        lambda raw: raw.replace(b'"bond":500,', b""),
    ],
)
def test_foreign_bytes_are_refused(mangle):
    with pytest.raises(InvalidTerms):
        Terms.from_bytes(mangle(terms().to_bytes()))


def test_open_networks_terms_round_trip():
    made = terms(params=params(**OPTIMISTIC, open=False), rule="fedyogi", beta1=0, tau=7)
    assert Terms.from_bytes(made.to_bytes()) == made
    assert b'"finality":1' in made.to_bytes()


def test_free_attesting_and_refuting_are_for_those_who_trust_each_other():
    assert terms(params=params(stake=0, bond=0, challenger_share=0)).params.stake == 0
    assert terms(params=params(**OPTIMISTIC, stake=0)).params.bond == 500


def test_absences_are_those_of_a_full_committee():
    assert terms().absences == 2
