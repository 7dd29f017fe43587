"""The table of single recordings: its rows with published figures, and recordings that are read from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.app.benchmarks import series
from bouncegrad.app.benchmarks.series_published import ALONE, PUBLISHED, PublishedRow, autoregression, levels
from bouncegrad.app.benchmarks.series_systems import fresh_systems
from bouncegrad.data.formats import save
from bouncegrad.data.trajectories import Trajectories


def network(tasks: int, frames: int) -> Trajectories:
    """Recordings of one graph of three series: the first acts on the second."""
    x = np.random.default_rng(0).normal(size=(tasks, frames, 3, 1))
    x[:, 1:, 1] += x[:, :-1, 0]
    edges = np.zeros((tasks, 3, 3), int)
    edges[:, 0, 1] = 1
    return Trajectories(x, edges=edges)


def test_names_are_unique_and_fresh_systems_do_not_depend_on_their_number():
    assert len({row.name for row in series.ROWS}) == len(series.ROWS)
    few, more = list(fresh_systems(5, 2)), list(fresh_systems(5, 3))
    for (name, a), (same, b) in zip(few, more, strict=False):
        assert name == same
        np.testing.assert_array_equal(a.x, b.x)


def test_levels_are_those_of_the_published_ring():
    data = levels(np.random.default_rng(0), 20, 10.0)
    assert data.shape == (1, 500, 20, 1)
    assert [np.flatnonzero(data.edges[0][:, target]).tolist() for target in (0, 10)] == [[1, 18, 19], [8, 9, 11]]
    assert 2 < data.x.mean() < 3.5


def test_an_autoregression_has_ten_sources_each_and_stays_bounded():
    data = autoregression(np.random.default_rng(0), n=15, frames=300)
    assert data.edges[0].sum(0).tolist() == [10] * 15
    assert np.diag(data.edges[0]).sum() == 0
    assert np.abs(data.x).max() < 100


@pytest.mark.parametrize("frames", [ALONE - 20, 300])
def test_recordings_of_a_file(tmp_path: Path, frames: int):
    """Long ones are measured one by one, short ones together."""
    save(network(12, frames), tmp_path / "a.npz")
    row = PublishedRow("mine", "one 0.9")
    [found] = series.run([row], [3], None, tmp_path, tmp_path / "a.npz")
    assert found["verdict"] == "regression"
    assert (found["edges"], found["pairs"], found["wrong"]) == (1, 6, 0)
    assert found["auroc"] == found["regression"] == 1.0
    [line] = series.table([found])[1:]
    assert line[:3] == ["mine", "1", "1 regression"]
    assert line[-1] == "one 0.9"
    assert [row.data(3, tmp_path / "a.npz").shape[0]] == [12 if frames < ALONE else 1]
    assert (tmp_path / "mine-series-seed3-regression.json").exists()


def test_a_file_must_have_what_is_measured(tmp_path: Path, command):
    save(replace(network(2, 100), edges=None), tmp_path / "b.npz")
    save(network(2, 100), tmp_path / "c.npz")
    for words, says in (
        (("series", "--rows", "NetSim"), "row 'NetSim' needs recordings with true edges; name their file with --data"),
        (("series", "--rows", "NetSim", "--data", str(tmp_path / "b.npz")), "there are no true edges"),
        (("series", "--rows", "NetSim", "--data", str(tmp_path / "c.npz"), "--seeds", "2"), "there are 2 recordings"),
        (("speed", "--data", "x.npz"), "option data: the table speed makes its own recordings; drop it"),
    ):
        outcome = command("benchmark", *words, "--out", str(tmp_path / "out"))
        assert outcome.status == 2
        assert says in outcome.err


def test_all_rows_without_a_file_leave_out_those_that_need_one(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(series, "measure", lambda row, seed, limit: {"row": row.name})
    monkeypatch.setattr(series, "measure_regression", lambda row, seed, file: {"row": row.name})
    names = [found["row"] for found in series.run(series.ROWS, [0], None, tmp_path)]
    assert set(names) == {row.name for row in series.ROWS} - {row.name for row in PUBLISHED if row.made is None}
