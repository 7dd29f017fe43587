"""Baselines on published recordings, compared with the AUROC that is stated for each data set."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.formats import load, parts
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import edge_baselines
from bouncegrad.results.edge_scores import distance
from bouncegrad.results.linear_scores import lagged_regression, partial_correlation
from bouncegrad.results.metrics import auroc, off_diagonal, undirected_auroc


def data_set(shared_data: Path, name: str) -> Path:
    if not (shared_data / name).exists():
        pytest.skip(f"{name} is not in ../shared/data")
    return shared_data / name


def mean_auroc(data: Trajectories, score: np.ndarray, turned: bool = False) -> float:
    """Returns the mean over tasks of the AUROC within a task."""
    assert data.edges is not None
    truth = data.edges.swapaxes(1, 2) if turned else data.edges
    return float(np.mean([auroc(t[None], s[None]) for t, s in zip(truth, score, strict=True)]))


def test_fifteen_regions(shared_data: Path) -> None:
    """The data are from NetSim: 50 subjects with one graph."""
    data = load(data_set(shared_data, "netsim_acd"))
    plain = partial_correlation(data, 0.0)
    assert mean_auroc(data, plain) == pytest.approx(0.911, abs=5e-4)
    undirected = [undirected_auroc(t[None], s[None]) for t, s in zip(data.edges, plain, strict=True)]  # type: ignore[arg-type]
    assert np.mean(undirected) == pytest.approx(0.953, abs=5e-4)  # type: ignore[arg-type]
    lagged = lagged_regression(data, 0.1)
    assert mean_auroc(data, lagged) == pytest.approx(0.603, abs=6e-4)
    assert mean_auroc(data, lagged, turned=True) == pytest.approx(0.595, abs=5e-4)

    table = edge_baselines(data, 200, 2)
    assert table["partial_correlation"]["auroc"] > 0.92  # type: ignore[operator]  # shrinkage improves it
    assert table["partial_correlation"]["auroc_undirected"] > 0.96  # type: ignore[operator]
    assert table["partial_correlation"]["pooled_auroc_undirected"] == 1.0
    assert table["lagged_regression"]["pooled_auroc"] > 0.97  # type: ignore[operator]
    assert table["distance"]["auroc"] is None


@pytest.mark.parametrize(
    ("part", "right", "turned"),
    [
        ("F_10_T_250", 0.856, 0.689),
        ("F_10_T_500", 0.951, 0.715),
        ("F_10_T_1000", 0.994, 0.728),
        ("F_40_T_250", 0.742, 0.604),
        ("F_40_T_500", 0.833, 0.689),
        ("F_40_T_1000", 0.888, 0.739),
    ],
)
def test_ten_on_a_ring(shared_data: Path, part: str, right: float, turned: float) -> None:
    """The data are from Lorenz-96. A ridge of 0.1 ranks edges a little better than the one found by leave-one-out."""
    data = load(data_set(shared_data, "lorenz96"), part=f"{part}_dataset")
    score = lagged_regression(data, 0.1)
    assert mean_auroc(data, score) == pytest.approx(right, abs=1e-3)
    assert mean_auroc(data, score, turned=True) == pytest.approx(turned, abs=1e-3)
    chosen = edge_baselines(data, data.shape[1], 2)["lagged_regression"]
    assert chosen["auroc"] == pytest.approx(right, abs=0.08)
    assert chosen["pooled_auroc"] > chosen["auroc"]  # type: ignore[operator]


def test_people_who_walk_together(shared_data: Path) -> None:
    """Each case of 20 frames has other people. The AUROC of a scene is over the pairs of all its cases."""
    folder = data_set(shared_data, "pedestrian_groups")
    scenes = defaultdict(list)
    with np.load(folder / "windows20.npz", allow_pickle=False) as file:
        for x, n, group, scene in zip(file["state"], file["n"], file["group"], file["scene"], strict=True):
            truth = group[None, :n, :n] * off_diagonal(n)
            score = distance(Trajectories(x[None, :, :n], edges=truth))
            assert score is not None
            scenes[str(scene)].append((truth[:, off_diagonal(n)], score[:, off_diagonal(n)]))
    expected = {"seq_eth": 0.921, "seq_hotel": 0.934, "zara01": 0.980, "zara02": 0.971, "students03": 0.991}
    found = {scene: pooled(cases) for scene, cases in scenes.items()}
    assert found == pytest.approx(expected, abs=5e-4)


def pooled(cases: list[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """Returns the AUROC of pairs from cases of different sizes."""
    truth, score = (np.concatenate(part, axis=1)[0] for part in zip(*cases, strict=True))
    fits = np.zeros((2, len(truth), 2, 2))  # one task of two people for every pair
    fits[0, :, 0, 1] = fits[0, :, 1, 0] = truth
    fits[1, :, 0, 1] = fits[1, :, 1, 0] = score
    return auroc(fits[0].astype(int), fits[1])


def test_a_case_as_inspect_reads_it(shared_data: Path) -> None:
    folder = data_set(shared_data, "pedestrian_groups")
    table = edge_baselines(load(folder, part=parts(folder)[0]), 20, 2)
    assert table["distance"]["auroc"] == 1.0
