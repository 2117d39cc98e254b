"""An analysis in plain words, for whoever is asked to answer it."""

from __future__ import annotations

from foedus.learning.analysis_queries import Query
from foedus.learning.analysis_terms import Analysis
from foedus.protocol.terms import Terms

SHOWN_VALUES = 12


def consent(terms: Terms, asked: Analysis) -> list[str]:
    """What a participant agrees to: every query, and from how many participants on sums are opened."""
    answers = "one answer" if len(asked.queries) == 1 else f"{len(asked.queries)} answers"
    start = f"This task trains no model. From your records, {asked.records} at most, your node computes {answers}"
    return [
        f"{start}, and sends nothing else:",
        *(f"{number}. {query.name}: {describe(query)}." for number, query in enumerate(asked.queries, start=1)),
        f"Only sums over {terms.g_min} participants or more are opened.",
        _noise(terms),
    ]


def describe(query: Query) -> str:
    """One query in plain words."""
    column, cut = query.column, f"values below {query.low:g} or above {query.high:g} count as these bounds"
    match query.kind:
        case "count":
            return f"how many records have a value of {column}" if column else "how many records there are"
        case "sum":
            return f"the sum of {column}; {cut}"
        case "mean":
            return f"the mean of {column}, from its sum and the number of its values; {cut}"
        case "topk":
            return f"which {query.k} values of {column} are the most frequent, from the counts of {_listed(query)}"
    if query.bins:
        return f"how many values of {column} lie in each of {query.bins} equal bins; {cut}"
    return f"how often each value of {column} occurs: the counts of {_listed(query)}"


def _listed(query: Query) -> str:
    names = [f'"{value}"' for value in query.values[:SHOWN_VALUES]]
    hidden = len(query.values) - len(names)
    more = [f"{hidden} more that the terms list"] if hidden else []
    return f"{', '.join([*names, *more])}, and of all others together"


def _noise(terms: Terms) -> str:
    if terms.dp is not None:
        return "Noise is added to every answer before it is sent."
    return (
        "The sums are exact and public for ever, with no differential-privacy noise: a cell that counts one record "
        "says that there is one, and sums over other participants can be subtracted from them."
    )
