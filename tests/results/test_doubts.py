"""What else could make an edge: detours and common causes are seen, and edges without them are not doubted."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.block_regression import regress_blocks
from bouncegrad.results.doubts import common_causes, detours
from bouncegrad.results.regression_edges import Doubts, doubts_of


def test_a_detour_explains_an_edge_that_gains_less_than_both_of_its_links() -> None:
    likely, gain = np.full((3, 3), 0.01), np.zeros((3, 3))
    likely[0, 1] = likely[1, 2] = likely[0, 2] = 0.99
    gain[0, 1], gain[1, 2], gain[0, 2] = 0.8, 0.5, 0.3
    assert np.argwhere(detours(likely, gain)).tolist() == [[0, 2]]
    gain[0, 2] = 0.6  # more than the weaker link
    assert not detours(likely, gain)[0, 2]
    gain[0, 2], likely[1, 2] = 0.3, 0.8  # a link that is not sure explains nothing
    assert not detours(likely, gain).any()


def hidden(rng: np.random.Generator, weight: float) -> Trajectories:
    """Two series with a common cause that lasts, and that acts on both at the same time."""
    x, cause = np.zeros((1500, 2)), np.zeros(1500)
    for t in range(1, 1500):
        cause[t] = 0.8 * cause[t - 1] + rng.standard_normal()
        x[t] = 0.5 * x[t - 1] + weight * cause[t - 1] + rng.standard_normal(2)
    return Trajectories(x[None, :, :, None])


def test_errors_that_go_together_show_a_common_cause() -> None:
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal((2000, 1)), rng.standard_normal((2, 2000, 1))
    errors, little = [own[0], own[1] + 0.5 * shared, own[0] + 0.5 * shared], np.full((3, 3), 0.01)
    found = common_causes(errors, little)
    np.testing.assert_array_equal(found, found.T)
    assert np.argwhere(np.triu(found)).tolist() == [[0, 2], [1, 2]]
    assert not common_causes(errors, np.full((3, 3), 1.0)).any()  # edges that explain more than they share
    assert not common_causes([own[0], own[1]], np.full((2, 2), -0.1)).any()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_no_edge_is_sure_where_a_common_cause_was_not_recorded(weight: float) -> None:
    found = regress_blocks(hidden(np.random.default_rng(1), weight))
    assert found.common[0, 1] == found.common[1, 0] == (weight > 0)
    assert found.probability.max() <= 0.5
    assert (found.z[0, 1] > 3) == (weight > 0)  # it helps to predict all the same


def test_doubts_in_words() -> None:
    assert Doubts().lines() == []
    found = regress_blocks(hidden(np.random.default_rng(1), 1.0))
    doubts = doubts_of(found, ("A", "B"))
    assert doubts.common_causes == (("A", "B"),)
    assert "the errors of A and B go together: a common cause that was not recorded" in doubts.lines()[-1]
    many = Doubts(common_causes=(("A", "B"),) * 7).lines()[0]
    assert "A and B and 2 more pairs go together" in many
