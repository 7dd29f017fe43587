"""Graphs of many entities in a report: a matrix ordered by communities, and a drawing of the most probable edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from bouncegrad.results import plots
from bouncegrad.results.communities import Arrangement, arrange, edge_weights
from bouncegrad.results.labels import type_label
from bouncegrad.results.plots_many import choose_edges
from bouncegrad.results.report_figures import Drawn
from bouncegrad.results.style import figure, svg

LARGE = (5.6, 6.0)  # inches; the names of 50 entities fit along the side


class Graph(NamedTuple):
    """The graph of one task, with the labels of the true types if these are known.

    Args:
        edges: edge types, `[source, target]`; -1 if unknown.
        entities: names of the entities.
        probability: probability of every type of every edge.
        type_names: names of the types.
        without_type: the type that means "no interaction"; None if it is not known.
        absent: the type that is not drawn if there are many entities.
        truth: true types; None if they are not known.
    """

    edges: Int[np.ndarray, "N N"]
    entities: Sequence[str]
    probability: Float[np.ndarray, "N N K"]
    type_names: Sequence[str]
    without_type: int | None
    absent: int
    truth: Int[np.ndarray, "N N"] | None


def many(graph: Graph, words: str, prefix: str) -> tuple[list[Drawn], tuple[tuple[str, str], ...]]:
    """Draws the matrix of an inferred graph, its most probable edges and, if it is known, the matrix of the true graph.

    All have the same order of entities, so that they can be compared.

    Args:
        graph: the inferred graph.
        words: name and content of the graph, for readers who cannot see it.
        prefix: text before the ids of the figures.

    Returns:
        The figures; and name and entities of each community, if there are any.
    """
    absent = graph.absent
    found = arrange(edge_weights(graph.edges, graph.probability, absent))
    caption = f"Inferred graph as a matrix. {_order(found)}"
    if graph.truth is not None:
        caption += " Crosses mark wrong edges."
    drawn = [_matrix(graph, found, f"{words}. {caption}", caption, f"{prefix}-matrix")]
    made, ax = figure(*LARGE)
    plots.graph_of_many(
        graph.edges, graph.entities, graph.probability, ax, graph.type_names, without_type=absent, arrangement=found
    )
    chosen = choose_edges(graph.edges, graph.probability, absent)
    caption = f"Inferred graph as a drawing: {chosen.note}. {_places(found)}"
    if graph.without_type is None:
        name = type_label(graph.type_names[absent], absent)
        caption += f" It is not known which type means no interaction; {name}, the most frequent one, is not drawn."
    if chosen.surplus:
        caption += " More lines could not be followed. Of equally probable edges, a random part is drawn; "
        caption += "the matrix shows all."
    drawn.append(Drawn(Markup(svg(made, caption, f"{prefix}-drawing")), caption))
    if graph.truth is not None:
        caption = "True graph as a matrix, in the order of the inferred graph."
        true = graph._replace(edges=graph.truth, truth=None)
        drawn.append(_matrix(true, found, f"{words}. {caption}", caption, f"{prefix}-truth"))
    return drawn, _groups(found, graph.entities)


def _matrix(graph: Graph, found: Arrangement, label: str, caption: str, prefix: str) -> Drawn:
    made, ax = figure(*LARGE)
    plots.matrix(graph.edges, graph.entities, ax, graph.type_names, truth=graph.truth, arrangement=found)
    return Drawn(Markup(svg(made, label, prefix)), caption)


def _order(found: Arrangement) -> str:
    """Returns in words how rows and columns are ordered."""
    if len(found.sizes) == 1:
        return "No communities were found; rows and columns are in the order of the data."
    *first, last = map(str, found.sizes)
    alone = int((found.community < 0).sum())
    return (
        f"Rows and columns are ordered by {len(found.sizes)} communities of {', '.join(first)} and {last} entities, "
        "with thin lines between them. In a community, the entities with the most edges are first."
        + (f" The last {alone} entities have no edges." if alone > 1 else " The last entity has no edges." * alone)
    )


def _places(found: Arrangement) -> str:
    """Returns in words where the entities are drawn."""
    words = "Distances follow the number of edges between two entities; they have nothing to do with the tracks."
    return words if len(found.sizes) == 1 else f"Each community has a disc with its number. In it, {words.lower()}"


def _groups(found: Arrangement, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Returns name and entities of each community, and of the entities without edges."""
    if len(found.sizes) == 1:
        return ()
    named = [(f"Community {c + 1}", found.order[found.community[found.order] == c]) for c in range(len(found.sizes))]
    named.append(("Without edges", found.order[found.community[found.order] < 0]))
    return tuple((name, ", ".join(names[i] for i in who)) for name, who in named if len(who))
