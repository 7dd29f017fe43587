"""Figures of many entities: the order of a matrix, and which edges a drawing shows and hides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch

from bouncegrad.app.pictures import graph_picture
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import plots, style
from bouncegrad.results.communities import Arrangement, arrange
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.layout import layout
from bouncegrad.results.plots_many import choose_edges
from bouncegrad.results.result import Result

from .conftest import sure_of
from .graphs import blocks, plain_graph, random_graph


def drawn_matrix(edges: np.ndarray, arrangement: Arrangement | None = None, inches: float = 5.6) -> Axes:
    _, ax = style.figure(inches, inches)
    return plots.matrix(edges, [f"n{i}" for i in range(len(edges))], ax, arrangement=arrangement)


def names_at(ax: Axes) -> list[list[str]]:
    return [[label.get_text() for label in axis.get_ticklabels()] for axis in (ax.yaxis, ax.xaxis)]


def cell(ax: Axes, row: int, column: int) -> list[tuple[float, ...]]:
    """The colours of the patches at a cell, from below to above."""
    at = (float(column), float(row))
    shown = [part for part in ax.get_children() if isinstance(part, PathPatch)]
    return [part.get_facecolor()[:3] for part in shown if part.get_path().contains_point(at)]


def test_rows_and_columns_are_ordered_by_community_with_lines_between() -> None:
    order = np.random.default_rng(0).permutation(30)
    edges = blocks([16, 14], 1.0, 0.0)[np.ix_(order, order)]
    found = arrange(edges.astype(float))
    ax = drawn_matrix(edges, found)
    rows, columns = names_at(ax)
    assert rows == columns == [f"n{i}" for i in found.order]
    assert {order[i] < 16 for i in found.order[:16]} == {True}
    (lines,) = [part for part in ax.collections if isinstance(part, LineCollection)]
    ends = sorted(map(np.ndarray.tolist, lines.get_segments()))
    assert ends == [[[-0.5, 15.5], [29.5, 15.5]], [[15.5, -0.5], [15.5, 29.5]]]
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("source, by community", "target, by community")


def test_each_cell_has_the_colour_of_its_type() -> None:
    edges = np.random.default_rng(0).integers(0, 3, (20, 20)) * (1 - np.eye(20, dtype=int))
    edges[3, 4] = -1
    order = np.random.default_rng(1).permutation(20)
    ax = drawn_matrix(edges, Arrangement(order, np.zeros(20, dtype=int)))
    of = {to_rgb(style.type_style(k)[0]): k for k in range(3)}
    for row in range(20):
        for column in range(20):
            found = cell(ax, row, column)
            s, t = order[row], order[column]
            if s == t or edges[s, t] < 0:
                assert found == []
            else:
                assert of[found[-1]] == edges[s, t]


def test_names_that_do_not_fit_give_way_to_numbers_of_communities_or_to_every_few() -> None:
    edges = blocks([40, 35, 25], 1.0, 0.0)
    assert names_at(drawn_matrix(edges, arrange(edges.astype(float)))) == [["1", "2", "3"]] * 2
    rows, _ = names_at(drawn_matrix(random_graph(100, 0.1, 0)))
    assert rows == [f"n{i}" for i in range(0, 100, 7)]
    rows, _ = names_at(drawn_matrix(random_graph(50, 0.1, 0)))
    assert rows == [f"n{i}" for i in range(50)]
    rows, _ = names_at(drawn_matrix(random_graph(50, 0.1, 0), inches=2.5))
    assert len(rows) < 20


def test_crosses_are_at_the_wrong_edges_of_the_ordered_matrix() -> None:
    order = np.random.default_rng(0).permutation(18)
    edges = blocks([10, 8], 1.0, 0.0)[np.ix_(order, order)]
    truth = edges.copy()
    truth[2, 15] = 1 - truth[2, 15]
    found = arrange(edges.astype(float))
    _, ax = style.figure(5, 5)
    plots.matrix(edges, [str(i) for i in range(18)], ax, truth=truth, arrangement=found)
    place = np.argsort(found.order)
    cross = ax.lines[0].get_xydata()
    np.testing.assert_allclose(np.nanmean(cross, 0), [place[15], place[2]], atol=1e-9)
    assert len(cross) == 6


def test_network_orders_a_matrix_of_many_entities() -> None:
    order = np.random.default_rng(0).permutation(20)
    edges = blocks([11, 9], 1.0, 0.0)[np.ix_(order, order)]
    _, ax = style.figure(5, 5)
    plots.network(edges, [str(i) for i in range(20)], None, ax)
    rows, _ = names_at(ax)
    assert len({order[int(name)] < 11 for name in rows[:11]}) == 1


def test_a_drawing_hides_doubtful_edges_and_counts_them() -> None:
    edges = blocks([8, 8], 1.0, 0.0)
    probability = sure_of(edges[None], 2, 0.9)[0]
    probability[0, 1] = 0.4, 0.6
    chosen = choose_edges(edges, probability, 0)
    assert (chosen.found, chosen.doubtful, chosen.surplus) == (112, 1, 0)
    assert np.argwhere(edges.astype(bool) & ~chosen.edges).tolist() == [[0, 1]]
    assert chosen.note == "111 of 112 edges; hidden: 1 with a probability below 0.75"
    assert choose_edges(edges, None, 0).note == "all 112 edges"
    assert choose_edges(edges, None, 1).found == 16 * 15 - 112
    assert choose_edges(edges * 0, None, 0).note == "no edges to draw"


def test_a_drawing_of_too_many_edges_has_the_most_probable_ones() -> None:
    edges = np.ones((50, 50), dtype=int)
    sure = np.random.default_rng(0).uniform(0.75, 1, (50, 50))
    chosen = choose_edges(edges, np.stack([1 - sure, sure], axis=-1), 0)
    lines = np.triu(chosen.edges | chosen.edges.T)
    best = np.triu(np.maximum(sure, sure.T), 1).round(3)
    assert lines.sum() == 120
    assert best[lines].min() >= np.sort(best.ravel())[-120]
    assert chosen.found == 50 * 49 == chosen.edges.sum() + chosen.surplus
    assert chosen.note == f"{chosen.edges.sum()} of 2,450 edges; hidden: {chosen.surplus:,} less or equally probable"


def test_of_equally_probable_edges_each_entity_keeps_about_the_same_share() -> None:
    """The first edges of a list would be those of a few entities."""
    chosen = choose_edges(np.ones((100, 100), dtype=int), None, 0)
    lines = chosen.edges | chosen.edges.T
    assert lines.sum() / 2 == 200
    assert lines.sum(1).max() < 15
    np.testing.assert_array_equal(choose_edges(np.ones((100, 100), dtype=int), None, 0).edges, chosen.edges)


def test_heads_are_at_targets_and_the_halves_of_a_line_have_the_types_of_both_directions() -> None:
    edges = np.zeros((14, 14), dtype=int)
    edges[0, 1], edges[1, 0], edges[2, 3] = 1, 2, 1
    at = layout((edges > 0).astype(float), arrange((edges > 0).astype(float))).places
    made, ax = style.figure(5, 5)
    plots.graph_of_many(edges, [str(i) for i in range(14)], None, ax, ("none", "pull", "push"))
    heads = [part for part in ax.collections if isinstance(part, PolyCollection)]
    lines = [part for part in ax.collections if isinstance(part, LineCollection)]
    ends = {(0, 1): 0, (2, 3): 0, (1, 0): 1}
    assert [len(part.get_paths()) for part in heads] == [2, 1]
    for (s, t), number in ends.items():
        tips = np.array([path.vertices[0] for path in heads[number].get_paths()])
        nearest = np.linalg.norm(tips - at[t], axis=1).min()
        assert nearest < 0.06
        starts = np.array([segment[0] for segment in lines[number].get_segments()])
        expected = (at[s] + at[t]) / 2 if edges[t, s] else at[s]
        assert np.linalg.norm(starts - expected, axis=1).min() < 0.06
    svg = style.svg(made, "drawing", "d")
    assert all(f">{word}<" in svg for word in ("pull", "push", "all 3 edges"))
    assert ">none<" not in svg


def test_communities_are_numbered_discs_and_names_are_in_or_below_the_entities() -> None:
    edges = blocks([9, 8], 1.0, 0.0)
    for names, short in (([str(i) for i in range(17)], True), ([f"walker {i}" for i in range(17)], False)):
        _, ax = style.figure(5, 5)
        plots.graph_of_many(edges, names, None, ax)
        discs, entities = [part for part in ax.collections if isinstance(part, EllipseCollection)]
        assert (len(discs.get_offsets()), len(entities.get_offsets())) == (2, 17)
        written = {text.get_text(): text.get_va() for text in ax.texts}
        assert {"1", "2", *names} <= set(written)
        assert {written[name] for name in names[3:]} == {"center" if short else "top"}
    _, ax = style.figure(5, 5)
    plots.graph_of_many(plain_graph("ring", 20), [str(i) for i in range(20)], None, ax)
    assert len([part for part in ax.collections if isinstance(part, EllipseCollection)]) == 1


def test_without_a_stated_type_the_most_frequent_one_is_not_drawn() -> None:
    edges = 1 - random_graph(20, 0.2, 0)
    made, ax = style.figure(5, 5)
    plots.graph_of_many(edges, [str(i) for i in range(20)], None, ax, without_type=None)
    assert f">all {(edges == 0).sum()} edges<" in style.svg(made, "drawing", "d")


@pytest.mark.parametrize(("entities", "named"), [(16, True), (17, False)])
def test_forecasts_of_many_entities_have_no_names_and_one_interval_each(entities: int, named: bool) -> None:
    x = np.cumsum(np.random.default_rng(0).normal(size=(1, 30, entities, 4)), axis=1)
    data = Trajectories(x, entities=tuple(f"n{i}" for i in range(entities)))
    forecast = Forecast.of(data.frames(0, 20), x[:, 20:], x[:, 20:] - 1, x[:, 20:] + 1)
    _, ax = style.figure(5, 5)
    plots.forecast_fan(forecast, data, 0, ax)
    assert [text.get_text() for text in ax.texts] == (list(data.entities) if named else [])
    intervals = [len(part.get_offsets()) for part in ax.collections if isinstance(part, EllipseCollection)]
    assert intervals == [4 if named else 1] * entities


@pytest.mark.parametrize(("entities", "panels"), [(12, 1), (13, 2)])
def test_the_picture_of_many_entities_has_a_matrix_and_a_drawing(tmp_path: Path, entities: int, panels: int) -> None:
    probability = sure_of(random_graph(entities, 0.3, 0)[None], 2, 0.9)
    found = Result.from_probability(probability, np.zeros(1), 9)
    graph_picture(found, 0, tmp_path / "graph.svg", None)
    svg = (tmp_path / "graph.svg").read_text()
    assert svg.count('id="axes_') == panels
    assert ("type 0, the most frequent type, is not drawn as arrows" in svg) == (panels == 2)


@pytest.mark.parametrize(("linked", "note"), [(False, "no edges to draw"), (True, "0 of 306 edges; hidden: 306 with")])
def test_a_graph_of_which_no_edge_is_drawn_has_a_note_and_no_legend(linked: bool, note: str) -> None:
    n = 18
    edges = np.full((n, n), int(linked)) * ~np.eye(n, dtype=bool)
    _, ax = style.figure(5, 5)
    plots.graph_of_many(edges, [str(i) for i in range(n)], np.full((n, n, 2), 0.5) if linked else None, ax)
    assert ax.get_legend() is None
    assert any(text.get_text().startswith(note) for text in ax.texts)
