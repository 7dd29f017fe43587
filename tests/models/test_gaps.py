"""Recordings with gaps, of different lengths and numbers of entities, from training to forecasts and figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.stages import train
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.forecasts import forecast
from bouncegrad.results import report_tasks
from bouncegrad.results.export import edge_table
from bouncegrad.results.result import Result
from bouncegrad.settings.config import Config

CONFIG = Config(epochs=30, threads=1, seed=1, forecast=0.3, horizon=3)
CONTEXT = 20


def with_gaps(value: float) -> Trajectories:
    """Returns tasks of 4 entities with gaps, of 3 entities, and one that ends early; unobserved cells hold `value`."""
    data = simulate("springs", 12, entities=4, frames=30, seed=0)
    mask = np.ones(data.x.shape[:3], dtype=bool)
    mask[0, 7, 1] = mask[1, 19:21, 2] = mask[2, 10:, 0] = False
    mask[3:6, :, 3] = False
    mask[6, 15:] = False
    return replace(data, x=np.where(mask[..., None], data.x, value), mask=mask)


@pytest.fixture(scope="module")
def trained():
    return train(CONFIG, with_gaps(0.0))[0]


def test_unobserved_values_change_no_result(trained):
    other = train(CONFIG, with_gaps(1e9))[0]
    one, two = trained.infer(with_gaps(np.nan), CONTEXT), other.infer(with_gaps(7.0), CONTEXT)
    np.testing.assert_array_equal(one.probability, two.probability)
    for field in ("x", "low", "high"):
        np.testing.assert_array_equal(
            getattr(forecast(trained, with_gaps(np.nan), 5, CONTEXT), field),
            getattr(forecast(other, with_gaps(7.0), 5, CONTEXT), field),
        )


def test_future_frames_do_not_change_a_gap_in_the_context(trained):
    data = with_gaps(0.0)
    changed = replace(data, x=np.where(np.arange(30)[:, None, None] >= CONTEXT, 5.0, data.x))
    one, two = (forecast(trained, x, 5, CONTEXT) for x in (data, changed))
    np.testing.assert_array_equal(one.x, two.x)


def test_absent_entities_are_undetermined_and_have_no_forecast(trained):
    data = with_gaps(0.0)
    result, found = trained.infer(data, CONTEXT), forecast(trained, data, 5, CONTEXT)
    assert result.undetermined[3:6, 3, :3].all()
    assert result.undetermined[3:6, :3, 3].all()
    gone = ~data.mask[:, CONTEXT - 1]
    assert gone.sum() == 1 + 1 + 3 + 4
    np.testing.assert_array_equal(np.isnan(found.x).all((1, 3)), gone)
    assert np.isfinite(found.x.swapaxes(1, 2)[~gone]).all()
    table = edge_table(result)
    assert (table.query("task == '3' and source == '3'").determined == "no").all()


def test_evaluation_reads_observed_cells_only(trained):
    one, two = (evaluate(trained, with_gaps(value), CONTEXT) for value in (0.0, np.nan))
    assert one.numbers | {"seconds": 0} == two.numbers | {"seconds": 0}
    assert 0.0 <= one.numbers["edge_accuracy"] <= 1.0
    assert np.isfinite(one.errors["free-running"]).all()


def test_edges_of_absent_entities_have_no_truth():
    edges = with_gaps(0.0).edges
    assert (edges[3:6, 3, :3] == -1).all()
    assert (edges[:3] >= 0).all()


def test_graphs_count_the_edges_of_present_entities():
    data = with_gaps(np.nan)
    result = Result.from_probability(np.eye(2)[data.edges.clip(0)] * (1 - np.eye(4))[..., None], np.zeros(12), 30)
    for task, entities in ((3, 3), (7, 4)):
        made = report_tasks.tasks(data.select([task]), result_of(result, task), (0, 1), 0, None, [(0, "")])[0]
        assert made.correct == made.edges == entities * (entities - 1)


def result_of(result: Result, task: int) -> Result:
    return Result.from_probability(result.probability[[task]], result.loss[[task]], result.context)
