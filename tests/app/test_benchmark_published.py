"""`benchmark published` and `benchmark moves`: what they measure, keep, print and draw."""

from __future__ import annotations

import json

import pytest

from bouncegrad.app.benchmarks import moves, published
from bouncegrad.app.benchmarks.published import NO_ENCODER, crossing
from bouncegrad.app.benchmarks.published_curves import drawn

TINY = {"edge_hidden": [4], "node_hidden": [4], "message": 4}


@pytest.fixture
def small(monkeypatch):
    uniform = TINY | {"proposal": "uniform", **NO_ENCODER}
    rows = [
        published.Row("springs5-learned", "springs5-small", "springs", 12, 8, "more than 0.99", TINY),
        published.Row("springs5-uniform", "springs5-small", "springs", 12, 8, settings=uniform),
    ]
    monkeypatch.setattr(published, "ROWS", tuple(rows))
    monkeypatch.setattr(published, "NEW_TASKS", 6)


def test_figures_and_curves_of_the_published_search_are_kept(command, tmp_path, small, monkeypatch):
    line = ["benchmark", "published", "--out", tmp_path, "--seeds", "0,1"]
    first = command(*line)
    assert first.status == 0
    assert "more than 0.99" in first.out
    names = {f"springs5-{row}-seed{seed}-8passes.json" for row in ("learned", "uniform") for seed in (0, 1)}
    assert {path.name for path in tmp_path.iterdir()} == names | {"springs5-passes.svg", "springs5-minutes.svg"}
    learned, uniform = (
        json.loads((tmp_path / f"springs5-{name}-seed0-8passes.json").read_text()) for name in ("learned", "uniform")
    )
    assert learned["epochs"] == 8
    assert learned["minutes"] is None
    assert learned["edge_accuracy"] == learned["moves"]["100"]
    assert 0 <= learned["proposal"] <= 1
    assert uniform["proposal"] is None
    row = learned["curves"][-1]
    for name in ("loss", "edge_accuracy", "proposal_accuracy", "better_proposals", "worse_accepted"):
        assert isinstance(row[name], float), name
    assert any("new_mse_10" in row for row in learned["curves"])
    assert "learned" in (tmp_path / "springs5-passes.svg").read_text()
    monkeypatch.setattr(published, "measure", lambda *_: pytest.fail("measured again"))
    assert command(*line).out == first.out


def test_minutes_count_in_place_of_passes(small):
    config = published.ROWS[0].config(3, 0.5)
    assert (config.epochs, config.minutes, config.seed) == (None, 0.5, 3)


def test_passes_to_an_accuracy_lie_between_two_rows():
    rows = [{"edge_accuracy": value, "epoch": epoch} for value, epoch in ((0.6, 10), (0.8, 20), (1.0, 30), (0.7, 40))]
    assert crossing(rows, "epoch") == 25.0
    assert crossing(rows[:2], "epoch") is None


def test_every_row_has_a_colour_and_every_quantity_a_panel():
    curves = [{"epoch": e, "seconds": 60.0 * e, "edge_accuracy": e / 10, "new_mse_1": 10.0**-e} for e in (1, 2, 3)]
    results = [{"row": f"springs5-{name}", "curves": curves} for name in ("learned", "uniform", "nothing")]
    figure = drawn(results, "minutes")
    lines = [ax.lines for ax in figure.axes]
    assert [len(drawn_lines) for drawn_lines in lines] == [3, 0, 0, 0, 3, 0]
    assert len({line.get_color() for line in lines[0]}) == 3
    assert lines[0][0].get_xdata().tolist() == [1.0, 2.0, 3.0]


def test_few_moves_of_every_search_from_both_starts(command, tmp_path, monkeypatch):
    row = moves.Row("few", "charged", 24, 3, 24, 0.02, "0.943", settings={"edge_hidden": (8,), "node_hidden": (8,)})
    monkeypatch.setattr(moves, "ROWS", (row,))
    monkeypatch.setattr(moves, "NEW_TASKS", 6)
    monkeypatch.setattr(moves, "TIMED_TASKS", 6)
    monkeypatch.setattr(moves, "COUNTS", (1, 3))
    found = command("benchmark", "moves", "--out", tmp_path)
    assert found.status == 0
    figures = json.loads((tmp_path / "few-moves-seed0-0.02min.json").read_text())
    ways = {f"{way} from {start}" for way in ("uniform", "encoder", "heat-bath") for start in ("random", "encoder")}
    assert set(figures["moves"]) == ways
    assert all(len(values) == 2 for values in figures["moves"].values())
    # One move of the heat bath draws all edges into all entities, whatever the start was.
    assert figures["encoder_tasks_per_second"] > 0
    assert [line.split()[0] for line in found.out.splitlines() if line.startswith("few ")] == ["few"] * 8
