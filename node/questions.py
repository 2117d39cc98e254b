"""What was asked of a proposal's aggregator through the court, and what it showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foedus.aggregator.testimony import ShownLeaf, ShownNodes
from foedus.protocol.court import ChunkDemanded, ChunkShown, ChunkWithheld, CourtEvent, DemandLapsed, NodesShown
from foedus.protocol.ids import Hash32
from foedus.protocol.proofs import Demand, Tree


@dataclass(frozen=True, slots=True)
class Questions:
    """One proposal's demands. open: those that nobody answered yet; leaves, nodes: what was shown, as `Testimony` takes
    it; withheld: what the aggregator was convicted for not showing."""

    open: Mapping[Demand, ChunkDemanded]
    leaves: Mapping[tuple[Tree, int], ShownLeaf]
    nodes: Mapping[int, Sequence[ShownNodes]]
    withheld: frozenset[Demand]

    @classmethod
    def of(cls, events: Sequence[CourtEvent], proposal: Hash32) -> Questions:
        """What the court's events say of a proposal. What was shown was checked by the contract."""
        asked = {e.demand: e for e in events if isinstance(e, ChunkDemanded) and e.asked.proposal == proposal}
        open_ = dict(asked)
        leaves: dict[tuple[Tree, int], ShownLeaf] = {}
        nodes: dict[int, list[ShownNodes]] = {}
        withheld: set[Demand] = set()
        for event in events:
            match event:
                case ChunkShown() if event.demand in asked:
                    about = asked[event.demand].asked
                    leaves[about.tree, about.index] = ShownLeaf(event.data, event.siblings)
                case NodesShown() if event.demand in asked:
                    about = asked[event.demand].asked
                    shown = ShownNodes(about.node, event.nodes, event.siblings)
                    nodes.setdefault(about.index, []).append(shown)
                case ChunkWithheld() if event.demand in asked:
                    withheld.add(_question(asked[event.demand]))
                case _:
                    pass
            if isinstance(event, ChunkShown | NodesShown | DemandLapsed):
                open_.pop(event.demand, None)
        return cls({_question(e): e for e in open_.values()}, leaves, nodes, frozenset(withheld))


def _question(event: ChunkDemanded) -> Demand:
    return Demand(event.asked.tree, event.asked.index, event.asked.node)
