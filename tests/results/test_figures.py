"""Figures, checked by their SVG: every arrow is drawn, has the correct direction, and is explained."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import plots, style
from bouncegrad.results.labels import corners, name_points
from bouncegrad.results.metrics import Calibration
from bouncegrad.results.training_curves import recorded, summary

NAMES = ("Ada", "Boris", "Chen", "Dalia")
TYPES = ("none", "weak", "strong")
EDGES = np.array([[0, 1, 2, 0], [0, 0, 1, 0], [2, 0, 0, 1], [0, 0, 2, 0]])


def drawn_graph(**options: object) -> str:
    made, ax = style.figure(4, 4)
    plots.graph(EDGES, NAMES, None, ax, TYPES, **options)  # type: ignore[arg-type]
    return style.svg(made, "a graph", "g")


def texts(svg: str) -> set[str]:
    return set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def arrows(svg: str) -> list[tuple[int, int, int]]:
    return [(int(s), int(t), int(k)) for s, t, k in re.findall(r'id="g-edge-(\d+)-(\d+)-type-(\d+)"', svg)]


def test_arrows_are_the_pairs_that_interact_and_types_are_named() -> None:
    """Users reported that the marks in a figure of a graph were not explained."""
    svg = drawn_graph()
    wanted = [(s, t, int(EDGES[s, t])) for s, t in np.argwhere(EDGES)]
    assert sorted(arrows(svg)) == sorted(wanted)
    assert {*NAMES, "weak", "strong"} <= texts(svg)
    assert "none" not in texts(svg)


def test_colour_is_not_the_only_cue() -> None:
    """Users reported that the marks in a figure of a graph were not explained."""
    svg = drawn_graph()
    looks = {}
    for kind in (1, 2):
        group = re.search(rf'id="g-edge-\d-\d-type-{kind}">(.*?)</g>', svg, re.DOTALL)
        assert group
        dash = re.search(r"stroke-dasharray: ([\d., ]+)", group.group(1))
        looks[kind] = dash.group(1) if dash else "solid"
    assert looks[1] != looks[2]
    assert len({style.type_style(k)[1] for k in range(5)}) == 5
    assert len({style.type_style(k)[0] for k in range(5)}) == 5


def test_all_types_can_be_drawn() -> None:
    svg = drawn_graph(without_type=None)
    assert len(arrows(svg)) == 12
    assert {"none", "weak", "strong"} <= texts(svg)


def test_an_arrow_points_from_source_to_target_and_is_wider_if_more_probable() -> None:
    edges = np.array([[0, 1], [0, 0]])
    widths = []
    for sure in (0.5, 1.0):
        probability = np.zeros((2, 2, 2))
        probability[0, 1] = 1 - sure, sure
        made, ax = style.figure(3, 3)
        plots.graph(edges, ("a", "b"), probability, ax)
        (arrow,) = ax.patches
        made.draw_without_rendering()
        path = arrow.get_path()
        assert path.vertices[0][1] > 0.5  # entity 0 is on top
        assert arrow.get_window_extent().y0 < ax.transData.transform((0, -0.6))[1]  # the head is at entity 1
        widths.append(arrow.get_linewidth())
    assert widths[0] < widths[1]


def test_arrows_point_from_source_to_target_in_the_vector_file() -> None:
    """The head of an arrow is its last path; it ends nearer to the name of the target."""
    names = ("A", "B", "C", "D")
    made, ax = style.figure(4, 4)
    plots.graph(EDGES, names, None, ax, TYPES)
    svg = style.svg(made, "a graph", "g")
    places = {}
    for tag, name in re.findall(r"<text([^>]*)>([A-D])</text>", svg):
        places[names.index(name)] = [float(re.search(rf'\b{axis}="([-\d.]+)"', tag).group(1)) for axis in "xy"]  # type: ignore[union-attr]
    assert len(places) == 4
    for s, t, k in arrows(svg):
        group = re.search(rf'id="g-edge-{s}-{t}-type-{k}">(.*?)</g>', svg, re.DOTALL)
        assert group
        head = re.findall(r'<path d="([^"]*)"', group.group(1))[-1]
        points = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", head), float)
        away = {n: np.linalg.norm(points.mean(0) - place) for n, place in places.items()}
        assert min(away, key=lambda n: away[n]) == t, (s, t)


def test_wrong_edges_are_marked_with_the_true_type() -> None:
    truth = EDGES.copy()
    truth[0, 1], truth[3, 0] = 0, 2
    svg = drawn_graph(truth=truth)
    assert len(arrows(svg)) == 6
    assert len(re.findall("stroke-dasharray: 6, ?4;", svg)) == 3  # two bands and the legend
    assert {"none", "strong", "wrong (true type)"} <= texts(svg)
    assert "wrong (true type)" not in texts(drawn_graph(truth=EDGES))


def test_a_graph_without_edges_states_it() -> None:
    made, ax = style.figure(3, 3)
    plots.graph(EDGES * 0, NAMES, None, ax, positions=np.array([[0, 0], [5, 1], [2, 2], [3, 3.0]]))
    svg = style.svg(made, "none", "g")
    assert arrows(svg) == []
    assert "no interactions" in texts(svg)


def test_matrix_shows_types_and_crosses_differences() -> None:
    made, ax = style.figure(3, 3)
    truth = EDGES.copy()
    truth[0, 1] = 2
    plots.matrix(EDGES, NAMES, ax, TYPES, truth=truth)
    cross = ax.lines[0].get_xydata()
    np.testing.assert_allclose(np.nanmean(cross, 0), [1, 0], atol=1e-9)  # x is the target, y the source
    assert len(cross) == 6
    named = {f"{k} {name}" for k, name in enumerate(TYPES)}
    assert {*NAMES, *named, "source", "target"} <= texts(style.svg(made, "matrix", "m"))


def test_tracks_start_and_end_where_the_entities_do(systems: Trajectories) -> None:
    made, ax = style.figure(3, 3)
    assert isinstance(plots.tracks(systems, 2, ax, edges=systems.edges[2]), Axes)  # type: ignore[index]
    marks = [(line.get_xydata()[0], line.get_markerfacecolor() == "none") for line in ax.lines]
    for n in range(4):
        np.testing.assert_allclose(marks[2 * n][0], systems.x[2, 0, n, :2])
        np.testing.assert_allclose(marks[2 * n + 1][0], systems.x[2, -1, n, :2])
        assert (marks[2 * n][1], marks[2 * n + 1][1]) == (True, False)
    assert set(NAMES) <= texts(style.svg(made, "tracks", "t"))
    joined = ax.collections[0]
    assert isinstance(joined, LineCollection)
    assert len(joined.get_segments()) == systems.edges[2].sum()  # type: ignore[index]


def test_tracks_leave_out_what_was_not_observed(systems: Trajectories) -> None:
    mask = np.ones(systems.x.shape[:3], bool)
    mask[:, :, 3], mask[:, 0, 0] = False, False
    _, ax = style.figure(3, 3)
    plots.tracks(replace(systems, mask=mask), 0, ax, edges=np.ones((4, 4), int))
    assert len(ax.lines) == 2 * 3
    np.testing.assert_allclose(ax.lines[0].get_xydata()[0], systems.x[0, 1, 0, :2])
    assert len(ax.collections[0].get_segments()) == 6  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, 3])
def test_other_features_are_drawn_against_time(count: int) -> None:
    features = ("phase", "amplitude", "constant")[:count]
    x = np.random.default_rng(0).normal(size=(1, 30, 4, count))
    x[..., 2:] = 7.0
    data = Trajectories(x, features=features, units=("rad", "", "")[:count], dt=0.1, entities=NAMES)
    made, ax = style.figure(4, 3)
    plots.tracks(data, 0, ax)
    assert len(ax.get_lines()) - (count - 1) == 4 * count
    assert {"phase (rad)", *features[1:], "time"} <= texts(style.svg(made, "tracks", "t"))
    if count == 1:
        np.testing.assert_allclose(ax.lines[1].get_xydata(), np.stack([0.1 * np.arange(30), x[0, :, 1, 0]], 1))


def test_an_angle_breaks_where_it_wraps() -> None:
    phase = np.mod(np.outer(np.arange(20.0), [1, 0.1]), 2 * np.pi)[None, ..., None]
    data = Trajectories(phase, features=("phase",), units=("rad",), entities=NAMES[:2], angles=("phase",))
    for drawn, breaks in ((data, 3), (replace(data, angles=()), 0)):
        _, ax = style.figure(4, 3)
        plots.tracks(drawn, 0, ax)
        assert np.isnan(ax.lines[0].get_ydata()).sum() == breaks
        assert not np.isnan(ax.lines[1].get_ydata()).any()


def test_names_are_written_inside_the_nodes_or_all_outside() -> None:
    for names, inside in ((("A", "B", "C", "ben"), 4), (("A", "B", "C", "anna"), 0)):
        _, ax = style.figure(4, 4)
        plots.graph(EDGES, names, None, ax, TYPES)
        written = [text for text in ax.texts if text.get_text() in names]
        assert [text.get_text() for text in written] == list(names)
        assert sum(text.get_verticalalignment() == "center" and text.get_ha() == "center" for text in written) == inside


def test_names_of_close_entities_do_not_overlap() -> None:
    at = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [np.nan, 0.0]])
    assert len(set(corners(at[1:4], ("b", "c", "d")))) == 3
    _, ax = style.figure(3, 3)
    name_points(ax, "abcde", at)
    assert [text.get_text() for text in ax.texts] == list("abcd")


def test_a_matrix_of_many_types_shows_their_numbers() -> None:
    edges = np.array([[0, 1, 2], [1, 0, 0], [2, 2, 0]])
    made, ax = style.figure(3, 3)
    plots.matrix(edges, NAMES[:3], ax, ("none", "pull", "push"))
    assert [text.get_text() for text in ax.texts] == ["1", "2", "1", "0", "2", "2"]
    assert {"0 none", "1 pull", "2 push"} <= texts(style.svg(made, "matrix", "m"))


def test_curves_skip_what_is_missing() -> None:
    rows = [
        {"epoch": 1, "loss": 2.0, "edge_accuracy": None},
        {"epoch": 2, "loss": float("nan")},
        {"epoch": 3, "loss": 1},
    ]
    made, ax = style.figure(3, 2)
    plots.curves(rows, ax, "loss", "edge_accuracy")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 2], [3, 1]])
    assert {"loss", "edge accuracy", "epoch"} <= texts(style.svg(made, "curves", "c"))
    made, ax = style.figure(3, 2)
    plots.curves(rows, ax, "edge_accuracy")
    assert "not available" in texts(style.svg(made, "curves", "c"))


def course(count: int, **more: float) -> list[dict[str, object]]:
    """Rows of a run of four minutes; the last third of them is from the forecasting stage."""
    return [
        {"epoch": e, "seconds": 240.0 * e / count, "loss": float(e), **more}
        | ({"stage": "forecast"} if 3 * e > 2 * count else {})
        for e in range(1, count + 1)
    ]


def test_the_summary_has_a_row_for_each_quantity_and_two_axes() -> None:
    rows = course(9, edge_accuracy=0.5, new_edge_accuracy=0.7, mse_1=1e-3)
    made = summary(rows)
    assert made is not None
    assert [q.name for q in recorded(rows)] == ["loss", "edge accuracy", "error at 1 step"]
    panels = np.array(made.axes).reshape(3, 2)
    assert [ax.get_xlabel() for ax in panels[-1]] == ["epoch", "minutes"]
    assert [ax.get_ylabel() for ax in panels[:, 0]] == ["loss", "edge accuracy", "error at 1 step"]
    np.testing.assert_allclose(panels[0, 0].lines[0].get_xydata(), [[e, e] for e in range(1, 10)])
    np.testing.assert_allclose(panels[0, 1].lines[0].get_xydata(), [[4 * e / 9, e] for e in range(1, 10)])
    assert panels[0, 0].lines[1].get_xdata()[0] == 7  # where the forecasting stage begins
    assert {"training tasks", "new tasks"} <= texts(style.svg(made, "curves", "c"))
    low, high = panels[1, 0].get_ylim()
    assert high - low >= 0.05
    assert summary([]) is summary([{"epoch": 1, "seconds": 1.0}]) is None


def test_peaks_are_counted_but_not_drawn_and_high_first_values_are_drawn() -> None:
    rows = course(40)
    rows[20]["loss"] = -3000.0
    made, ax = style.figure(3, 2)
    plots.curves(rows, ax, "loss")
    assert ax.get_ylim()[0] < -3000
    rows[0]["loss"] = rows[1]["loss"] = 3000.0
    plots.curves(rows, ax, "loss")
    assert ax.get_ylim()[1] > 3000
    rows = course(40)
    rows[20]["loss"], rows[3]["loss"] = 3000.0, -1.0
    made, ax = style.figure(3, 2)
    plots.curves(rows, ax, "loss", against="seconds", labels=["loss of all"])
    assert 40 < ax.get_ylim()[1] < 50
    assert {"not drawn: 1 of 40 values, up to 3e+03", "loss of all", "minutes"} <= texts(style.svg(made, "c", "c"))


def test_error_by_horizon_is_logarithmic_and_survives_zeros() -> None:
    made, ax = style.figure(3, 2)
    plots.error_by_horizon({"ours": np.array([1e-6, 1e-4]), "static": np.zeros(2)}, ax)
    assert ax.get_yscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2])
    assert {"ours", "static"} <= texts(style.svg(made, "errors", "e"))


def test_reliability_shows_counts() -> None:
    made, ax = style.figure(3, 3)
    plots.reliability(Calibration(np.array([0.6, 0.95]), np.array([0.5, 0.9]), np.array([10, 1200]), 0.06), ax)
    assert {"10", "1,200"} <= texts(style.svg(made, "reliability", "r"))


def test_figures_are_saved_without_a_display_and_change_no_setting(tmp_path: Path) -> None:
    """Users asked for a picture of the estimated graph; a machine without a display must make it, too."""
    before = dict(matplotlib.rcParams)
    made, ax = style.figure(3, 3)
    plots.graph(EDGES, NAMES, None, ax, TYPES)
    style.save(made, tmp_path / "graph.png")
    style.save(made, tmp_path / "graph.svg")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    assert "<text" in (tmp_path / "graph.svg").read_text()
    assert dict(matplotlib.rcParams) == before
    code = "import sys, bouncegrad.results.plots, bouncegrad.results.report; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_svg_for_a_page_has_a_description_and_unique_ids() -> None:
    svg = drawn_graph()
    assert svg.startswith('<svg role="img" aria-label="a graph" ')
    assert "<metadata" not in svg
    assert set(re.findall(r'\bid="([^"]*)"', svg)) == {i for i in re.findall(r'\bid="([^"]*)"', svg) if i[:2] == "g-"}
    for reference in re.findall(r'(?:url\(#|href="#)([^)"]*)', svg):
        assert f'id="{reference}"' in svg
    made, _ = style.figure(1, 1)
    assert 'aria-label="1 &lt; 2 &amp; &quot;x&quot;"' in style.svg(made, '1 < 2 & "x"', "p")
    assert drawn_graph() == svg
