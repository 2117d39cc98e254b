"""What a task's terms let others see, and what its committee bears, in plain words for whoever creates or joins it."""

from __future__ import annotations

from foedus.learning.analysis_terms import analysis_of
from foedus.learning.analysis_words import consent
from foedus.protocol.groups import COMMITTEE_MAX, threshold
from foedus.protocol.privacy import DifferentialPrivacy
from foedus.protocol.terms import SAFE_G_MIN, Terms, collusion

SAFE_ANSWER_SECONDS = 300
"""Time for a daemon to be started again, and for a transaction to be mined at twice the fee."""


def warnings(terms: Terms) -> list[str]:
    """Plain sentences, the gravest first; never empty, since every task shows something to somebody. For an analysis
    they begin with its queries. Raises InvalidTerms where those cannot be read."""
    asked = analysis_of(terms)
    if asked is not None:
        private = [_privacy(terms, terms.dp)] if terms.dp is not None else []
        return [*consent(terms, asked), *_groups(terms), *private, _committee(terms)]
    return [*_groups(terms), *_influence(terms), *_answers(terms), _model(terms), _committee(terms)]


def _groups(terms: Terms) -> list[str]:
    params = terms.params
    if terms.mode == "plain":
        told = (
            "Every participant's update is public, whole and by name: updates can give away training examples. "
            'Use mode = "masked" unless all participants could as well show each other their data.'
        )
        return [told]
    found = [*_holders(terms)]
    if terms.grouping == "redrawn":
        found.append(
            f"Groups are redrawn every round: after about as many rounds as participants ({params.max_participants}), "
            "anyone can work out each participant's average update from the public group sums."
        )
    elif params.rounds > params.epoch_rounds:
        redraws = -(-params.rounds // params.epoch_rounds) - 1
        times = "once" if redraws == 1 else f"{redraws} times"
        found.append(
            f"Groups stay fixed for an epoch of {params.epoch_rounds} rounds and are redrawn {times} in "
            "this task: the more often, the better each participant's average update over the epochs can be estimated."
        )
    if terms.g_min < SAFE_G_MIN:
        others = "the other one" if terms.g_min == 2 else f"all {terms.g_min - 1} others"
        found.append(
            f"A group's summed update is opened from {terms.g_min} survivors on (the safe minimum is {SAFE_G_MIN}): in "
            f"so small a group your update is hidden only while {others} do not pool what they know."
        )
    found.append(_hidden(terms))
    return found


def _holders(terms: Terms) -> list[str]:
    if terms.mode == "ckks":
        told = (
            "Whoever holds a group's key can open every update of the group: it is a committee member, drawn anew for "
            'every opening. Use mode = "bfv" unless all participants could as well show that one their data.'
        )
        return [told]
    if terms.mode == "rlwe":
        return ["The mode rlwe is experimental: nobody outside this project has reviewed it."]
    return []


def _hidden(terms: Terms) -> str:
    if terms.mode == "ckks":
        return "Whoever does not hold the key sees only the sum of each group."
    if terms.mode == "bfv":
        return (
            "Nobody sees a single update: only the sum of each group is opened, as long as its two holders, committee "
            "members drawn anew for every opening, do not work together."
        )
    most = collusion(terms.mode, min(terms.params.max_participants, COMMITTEE_MAX))
    return (
        "Nobody sees a single update: only the sum of each group is opened, as long as fewer than "
        f"{most + 1} committee members work together."
    )


def _influence(terms: Terms) -> list[str]:
    if terms.weighting == "uniform":
        return []
    told = (
        f"Updates count by the number of examples, as each participant states it, up to {terms.max_weight}: whoever "
        "overstates it has more influence on the model."
    )
    return [told]


def _model(terms: Terms) -> str:
    if terms.dp is not None:
        return f"{_privacy(terms, terms.dp)} No metrics are told."
    return (
        "The model and the metrics are public after every round, and no differential-privacy noise is added to them: "
        "what the model memorises can be read from it."
    )


def _privacy(terms: Terms, dp: DifferentialPrivacy) -> str:
    honest = dp.contributors(terms.g_min)
    whose = "your own noise alone" if terms.mode == "plain" else f"the noise of {honest} honest survivors of a group"
    return (
        f"Differential privacy: whatever is opened of your updates in the whole task stays within epsilon = "
        f"{dp.epsilon:g} at delta = {dp.delta:g}, as long as {whose} is in every opened sum; your node sits out "
        "rather than spend more."
    )


def _answers(terms: Terms) -> list[str]:
    params = terms.params
    if params.stake + params.bond == 0 or params.answer_seconds >= SAFE_ANSWER_SECONDS:
        return []
    told = (
        f"Whoever aggregates has {params.answer_seconds} seconds to answer what others ask about its proposal, or "
        "loses its stake: a node that restarts, or a crowded chain, can take longer "
        f"({SAFE_ANSWER_SECONDS} seconds are the safe minimum)."
    )
    return [told]


def _committee(terms: Terms) -> str:
    members = min(terms.params.max_participants, COMMITTEE_MAX)
    bears = terms.absences
    absent = "no absence" if bears == 0 else "one absence" if bears == 1 else f"{bears} absences"
    return (
        f"The committee has {members} members when the task is full and bears {absent}: {_threshold(terms)} must be "
        "online in every round, or the round is tried again and the task can end early."
    )


def _threshold(terms: Terms) -> int:
    return threshold(min(terms.params.max_participants, COMMITTEE_MAX))
