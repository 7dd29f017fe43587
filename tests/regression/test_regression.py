"""The four algorithms on regression tasks: settings, reproducible runs, and the order of their errors."""

from __future__ import annotations

import math
from itertools import count

import pytest
import torch

from bouncegrad.core.adaptation import Adapted
from bouncegrad.core.points import every_task
from bouncegrad.data.errors import InputError
from bouncegrad.regression.building import build_tasks
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.regression.training import mean_errors, train

ALGORITHMS = ("pooled", "maml", "bouncegrad", "moma")
SHORT = {"meta_steps": 6, "search_steps": 3, "tasks": 24, "hidden": ("8",), "batch": 8}


def test_the_four_algorithms_differ_in_two_settings():
    configs = {name: RegressionConfig(algorithm=name).resolve() for name in ALGORITHMS}
    assert {name: (sum(c.modules) > 1, c.inner_steps > 0) for name, c in configs.items()} == {
        "pooled": (False, False),
        "maml": (False, True),
        "bouncegrad": (True, False),
        "moma": (True, True),
    }


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("data", "composition"), [("sines", "chain"), ("functions", "sum")])
def test_a_seed_repeats_a_run_and_there_are_always_four_errors(algorithm, data, composition):
    config = RegressionConfig(data=data, algorithm=algorithm, composition=composition, **SHORT)
    one, again = train(config), train(config)
    assert one.errors._fields == ("training_fitted", "training_held_out", "new_fitted", "new_held_out")
    assert all(math.isfinite(error) for error in one.errors)
    assert one.errors == again.errors
    assert torch.equal(one.z_new, again.z_new)
    for a, b in zip(one.modules.parameters(), again.modules.parameters(), strict=True):
        assert torch.equal(a, b)
    assert one.meta_steps >= 6


def test_errors_are_mean_squared_errors_of_fitted_and_held_out_points():
    """Users reported that they had read the error of the wrong part of the data."""
    done = train(RegressionConfig(algorithm="bouncegrad", **SHORT))
    _, new = build_tasks(done.config)
    visits = every_task(new)
    for side, error in ((visits.fitted, done.errors.new_fitted), (visits.judged, done.errors.new_held_out)):
        with torch.no_grad():
            assert (done.modules(side.x, done.z_new) - side.y).square().mean().item() == pytest.approx(error, rel=1e-5)


def test_held_out_points_of_new_tasks_change_nothing_but_their_error():
    config = RegressionConfig(algorithm="moma", **SHORT)
    training, new = build_tasks(config.resolve())
    changed = type(new)(new.x, new.y.copy(), new.fitted, new.names)
    changed.y[:, new.fitted :] += 100.0
    one, other = train(config, (training, new)), train(config, (training, changed))
    assert one.errors[:3] == other.errors[:3]
    assert one.errors.new_held_out < 100 < other.errors.new_held_out
    assert torch.equal(one.z_new, other.z_new)


def test_inner_steps_may_differ_at_test():
    """Users reported that the number of inner steps differed between training and test."""
    common = SHORT | {"algorithm": "maml", "data": "sines", "inner_steps": 1}
    as_trained = train(RegressionConfig(**common))
    more = train(RegressionConfig(**common, test_inner_steps=3, test_inner_rate=0.02))
    assert more.errors != as_trained.errors
    _, new = build_tasks(as_trained.config)
    adapted = Adapted(as_trained.modules, 3, 0.02)
    assert mean_errors(adapted, every_task(new), as_trained.z_new) == pytest.approx(more.errors[2:], rel=1e-6)


def test_minutes_limit_a_run(monkeypatch):
    """Each look at the clock takes a second, so a run of 30 seconds has at most 30 steps."""
    ticks = count()
    for clock in ("monotonic", "perf_counter"):
        monkeypatch.setattr(f"time.{clock}", lambda: float(next(ticks)))
    done = train(RegressionConfig(algorithm="pooled", **SHORT | {"meta_steps": None, "minutes": 0.5}))
    assert 0 < done.meta_steps <= 30 <= done.seconds


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "sgd"}, "setting algorithm: 'sgd' cannot be used"),
        ({"algorithm": "maml", "modules": (3,)}, "maml has one; bouncegrad and moma have more"),
        ({"hidden": ("16-16", "16"), "modules": (10,)}, "a whole number from 1 for each type"),
        ({"hidden": ("16-x",)}, "widths divided by -"),
        ({"inner_rate": 0.0}, "a number above 0"),
        ({"new": 1.0}, "a share above 0, below 1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        RegressionConfig(**settings)


def test_modules_are_shared_out_among_types():
    config = RegressionConfig(hidden=("16-16", "16", "8")).resolve()
    assert config.modules == (7, 7, 6)
    done = train(RegressionConfig(**SHORT | {"hidden": ("8-8", "8"), "modules": (3, 2)}))
    assert done.modules.choices == 5


@pytest.mark.slow
def test_sines_need_adaptation_and_functions_modules():
    """The order of errors in the 2018 paper holds at held-out points of new tasks after 1,000 meta-steps."""

    def error(data: str, algorithm: str) -> float:
        return train(RegressionConfig(data=data, algorithm=algorithm, meta_steps=1000)).errors.new_held_out

    assert error("sines", "maml") < error("sines", "pooled") / 2
    on_functions = {algorithm: error("functions", algorithm) for algorithm in ALGORITHMS}
    assert max(on_functions["bouncegrad"], on_functions["moma"]) < min(on_functions["pooled"], on_functions["maml"])
