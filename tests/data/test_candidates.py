"""Who may act on whom: nearest neighbours and tables of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories


def on_a_line(*places: float, features=("x", "charge")) -> Trajectories:
    """Two tasks of two frames; the second feature would say otherwise."""
    x = np.zeros((2, 2, len(places), 2))
    x[..., 0], x[..., 1] = places, -100 * np.arange(len(places)) ** 4
    return Trajectories(x, features=features, entities=tuple("abcdefgh"[: len(places)]))


def test_all_pairs_by_target_then_source() -> None:
    assert candidate_pairs(None, on_a_line(0, 1, 3)).tolist() == [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]


def test_the_nearest_in_position() -> None:
    pairs = candidate_pairs(1, on_a_line(0, 1, 3, 3.5))
    assert pairs.tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]


def test_nearness_is_a_mean_over_frames() -> None:
    x = np.zeros((1, 3, 3, 2))
    x[0, :, 1, 0], x[0, :, 2, 0] = (1, 1, 9), 2
    assert candidate_pairs(1, Trajectories(x, features=("x", "y")))[:, 0].tolist() == [2, 0]


def test_without_positions_all_features_count_alike() -> None:
    data = on_a_line(0, 1, 3, 3.5, features=("level", "charge"))
    assert candidate_pairs(1, data)[0].tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize("places", [(0, 1), (0, 1, 3, 3.5)])
def test_as_many_neighbours_as_there_are_is_all_pairs(places) -> None:
    data = on_a_line(*places)
    assert np.array_equal(candidate_pairs(len(places) - 1, data), candidate_pairs(None, data))


def test_more_neighbours_than_there_are() -> None:
    with pytest.raises(InputError, match="candidates: 3 nearest, but array has 3 entities; give at most 2"):
        candidate_pairs(3, on_a_line(0, 1, 3))


def test_a_table_of_pairs(tmp_path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("source,target\nc,a\na,b\nc,a\n")
    assert candidate_pairs(str(path), on_a_line(0, 1, 3)).tolist() == [[2, 0], [0, 1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source,to\na,b\n", "line 1: no column target"),
        ("source,target\na,b\na,z\n", "line 3: target 'z' is no entity of array"),
        ("source,target\na,a\n", "line 2: source and target are the same"),
        ("source,target\n", "no pair"),
    ],
)
def test_a_table_that_does_not_fit(tmp_path, text, says) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        candidate_pairs(str(path), on_a_line(0, 1, 3))


def test_a_missing_table() -> None:
    with pytest.raises(InputError, match=r"none\.csv: "):
        candidate_pairs("none.csv", on_a_line(0, 1, 3))
