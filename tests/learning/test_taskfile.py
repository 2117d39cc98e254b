from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.learning.build import build
from foedus.learning.disclosure import warnings
from foedus.learning.errors import TaskFileError
from foedus.learning.schema import amount
from foedus.learning.taskfile import load_task_file
from foedus.protocol.fixedpoint import SUM_BOUND
from foedus.protocol.ids import Wei
from foedus.protocol.terms import Terms

Write = Callable[..., Path]


def test_defaults_and_paths(write_task: Write, tmp_path: Path) -> None:
    task_file = load_task_file(write_task(("[train]", "[data]\npath = 'files'\nalpha = 0.5\n\n[train]")))
    terms = task_file.draft
    assert task_file.app == tmp_path / "app.py"
    assert task_file.data_path == tmp_path / "files"
    assert task_file.metrics == ("train_loss", "accuracy")
    assert terms.config == {"lr": 0.05, "batch_size": 5, "local_epochs": 2, "data.alpha": 0.5}
    assert (terms.mode, terms.grouping, terms.rule, terms.server_lr) == ("masked", "epoch", "fedavg", 65536)
    assert terms.params.commit_seconds == 1800
    assert (terms.params.epoch_rounds, terms.pool, terms.params.stake) == (3, 0, 0)


def test_the_grid_has_the_most_bits_that_never_wrap(write_task: Write) -> None:
    terms = load_task_file(write_task()).draft
    assert (terms.update_bits, terms.max_value) == (25, 2**25)
    given = ("[privacy]", '[update]\nclip = 0.3\nweighting = "examples"\nmax_weight = 100\n[privacy]')
    terms = load_task_file(write_task(given)).draft
    most = terms.params.max_participants * terms.max_weight * terms.max_value
    assert most <= SUM_BOUND < 2.1 * most
    assert terms.max_value / 2**terms.update_bits == pytest.approx(0.3, abs=1e-5)


def test_money_shares_and_rule(write_task: Write) -> None:
    extra = (
        "[privacy]",
        """[rule]\nserver_lr = 0.5\n[reward]\npool = "1.5 ether"\nstake = "20 gwei"
[reward.shares]\npresence = 20\ncontribution = 60.5\n[privacy]""",
    )
    terms = load_task_file(write_task(extra)).draft
    assert (terms.pool, terms.params.stake, terms.server_lr) == (15 * 10**17, 20 * 10**9, 32768)
    assert (terms.shares.presence, terms.shares.contribution, terms.shares.aggregator) == (2000, 6050, 500)


@settings(deadline=None)
@given(st.integers(0, 10**30))
def test_ether_is_exact(wei: int) -> None:
    whole, rest = divmod(wei, 10**18)
    assert amount(f"{whole}.{rest:018d} ether") == amount(wei) == amount(f"{wei} wei") == wei


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "small"', "name = small", r"task\.toml:3: not valid TOML: .*`name = small`"),
        ('name = "small"', "", r"task\.name is missing: add `name = \.\.\.` to \[task\]"),
        ("[rounds]", "[round]", r"round is not known: did you mean rounds\?"),
        ("max_participants", "max_participant", r"rounds\.max_participants is missing"),
        ("min_survivors", "min_survivers", r"rounds\.min_survivers is not known: did you mean rounds\.min_survivors\?"),
        ("rounds = 3", 'rounds = "3"', r"rounds\.rounds = '3': must be a whole number from 1 to 65535"),
        ("rounds = 3", "rounds = true", r"rounds\.rounds = True: must be a whole number"),
        ("min_participants = 3", "min_participants = 5", r"rounds\.min_participants = 5: .* from 2 to 4"),
        ("min_survivors = 3", "epoch_rounds = 1", r"rounds\.epoch_rounds = 1: .*write groups = \"redrawn\""),
        ("lr = 0.05", "learning_rate = 0.05", r"train\.learning_rate = 0\.05: no such setting: did you mean lr\?"),
        ("lr = 0.05", "lr = -1", r"train\.lr = -1: must be a number, 0 or more"),
        ("lr = 0.05", 'optimizer = "sdg"', r"train\.optimizer = 'sdg': must be one of sgd, adam, adamw"),
        ("lr = 0.05", "sizes = [1, 2]", r"train\.sizes = \[1, 2\]: must be a boolean, finite number or text"),
        ("batch_size = 5", "batch_size = 0", r"train\.batch_size = 0: must be a whole number from 1 up"),
        ("group_size = 4", 'mode = "mask"', r"privacy\.mode = 'mask': .*did you mean masked\?"),
        ("group_size = 4", 'groups = "random"', r"privacy\.groups = 'random': must be one of epoch, redrawn"),
        ("g_min = 3", "g_min = 4", r"privacy\.g_min = 4: .*could never be opened"),
        ("g_min = 3", "g_min = 3\nneighbours = 1", r"privacy\.neighbours = 1: must be even"),
        ("consent = true", "", r"privacy\.consent = None: g_min = 3 opens .*write `consent = true` in \[privacy\]"),
        ("consent = true", 'consent = "yes"', r"privacy\.consent = 'yes': must be true or false, without quotes"),
        ("[train]", "[update]\nclip = 0\n[train]", r"update\.clip = 0: must be a number above 0"),
        ("[train]", "[update]\nmax_weight = 5\n[train]", r'update\.max_weight = 5: belongs to weighting = "examples"'),
        ("[train]", '[update]\nweighting = "examples"\n[train]', r"update\.max_weight is missing"),
        (
            "[train]",
            "[update]\nmax_value = 134217728\n[train]",
            r"update\.max_value = 536870912: must not exceed",
        ),
        ("[train]", '[reward]\npool = "1 euro"\n[train]', r"reward\.pool = '1 euro': must be whole wei"),
        ("[train]", '[reward]\npool = "0.5 wei"\n[train]', r"reward\.pool = '0\.5 wei': must be whole wei"),
        ("[train]", "[reward.shares]\npresence = 90\n[train]", r"reward\.shares = 17200: must add up to at most 10000"),
        (
            "[train]",
            '[rule]\nname = "fedadan"\n[train]',
            r"rule\.name = 'fedadan': must be one of fedavg, .*did you mean fedadam",
        ),
        ("[task]", 'rule = "fedavg"\n[task]', r"rule = 'fedavg': must be a table: write \[rule\] on a line of its own"),
        ("seed = 5", 'seed = 5\nmetrics = "accuracy"', r"task\.metrics = 'accuracy': must be a list of distinct names"),
    ],
)
def test_mistakes_are_named_and_mended(write_task: Write, old: str, new: str, message: str) -> None:
    path = write_task((old, new))
    with pytest.raises(TaskFileError, match=message) as caught:
        load_task_file(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_bad_bytes(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match="cannot read the task file: No such file"):
        load_task_file(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(TaskFileError, match="byte 8 is not UTF-8"):
        load_task_file(tmp_path / "bad.toml")


def test_build_fixes_app_manifest_and_model(write_task: Write) -> None:
    path = write_task()
    one, again = build(load_task_file(path)), build(load_task_file(path))
    assert one.terms == again.terms
    assert one.initial_model == again.initial_model
    assert (one.terms.app, one.terms.manifest) == (one.app.digest, one.manifest.digest.hex())
    assert one.terms.model == one.model_root.hex()
    assert Terms.from_bytes(one.terms.to_bytes()) == one.terms
    task_file = load_task_file(path)
    other = build(replace(task_file, draft=replace(task_file.draft, seed=6)))
    assert other.model_root != one.model_root


def test_a_model_that_does_not_fit_says_so(write_task: Write) -> None:
    path = write_task(("[train]", "[update]\nscale_bits = 30\nupdate_bits = 20\nclip = 1\n[train]"))
    source = path.with_name("app.py").read_text().replace("return nn.Seq", "return nn.Embedding.from_pretrained")
    path.with_name("app.py").write_text(
        re.sub(r"from_pretrained.*", "from_pretrained(torch.full((2, 2), 9.0))", source)
    )
    with pytest.raises(TaskFileError, match=r"update\.scale_bits = 30: .*lower scale_bits"):
        build(load_task_file(path))


def test_warnings_say_what_leaks_and_what_is_borne(write_task: Write) -> None:
    terms = load_task_file(write_task()).draft
    told = " ".join(warnings(terms))
    assert "opened from 3 survivors on (the safe minimum is 8)" in told
    assert "all 2 others" in told
    assert "4 members when the task is full and bears one absence" in told
    assert "redrawn" not in told
    params = replace(terms.params, max_participants=40, min_participants=32, min_survivors=30, epoch_rounds=1)
    large = replace(terms, params=params, group_size=32, g_min=8, grouping="redrawn", max_value=2**16)
    told = " ".join(warnings(large))
    assert "safe minimum" not in told
    assert "bears 10 absences: 22 must be online" in told
    assert "each participant's average update" in told
    assert "public, whole and by name" in warnings(replace(terms, mode="plain"))[0]
    weighted = replace(terms, weighting="examples", max_weight=9, max_value=2**20)
    assert "up to 9" in " ".join(warnings(weighted))
    epochs = replace(terms, params=replace(terms.params, epoch_rounds=2))
    assert "redrawn once" in " ".join(warnings(epochs))


def test_too_little_time_to_answer_is_told_where_something_is_at_stake(write_task: Write) -> None:
    terms = load_task_file(write_task()).draft
    hasty = replace(terms, params=replace(terms.params, answer_seconds=30))
    staked = replace(hasty, params=replace(hasty.params, stake=Wei(1)))
    assert "30 seconds to answer" in " ".join(warnings(staked))
    for calm in (hasty, replace(staked, params=replace(staked.params, answer_seconds=300))):
        assert "seconds to answer" not in " ".join(warnings(calm))
