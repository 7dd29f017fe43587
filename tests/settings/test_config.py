"""Settings: what is chosen when nothing is said, and that settings survive a file."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import yaml

from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.stages import train
from bouncegrad.settings.config import Config
from bouncegrad.settings.values import fits, in_words

SHAPE = (1000, 49, 5, 4)


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, {"annealer": "geometric", "temperature": 30.0, "loss": "likelihood", "steps": 1, "segments": 4}),
        ({}, {"optimizer": "muon", "learning_rate": 0.01}),
        ({"epochs": 150}, {"learning_rate": 0.01}),
        ({"epochs": 75}, {"learning_rate": 0.01 * math.sqrt(2)}),
        ({"epochs": 9}, {"learning_rate": 0.02}),
        ({"minutes": 0.3}, {"learning_rate": 0.01 * math.sqrt(2)}),
        ({"loss": "rollout"}, {"optimizer": "adam", "learning_rate": 0.003}),
        ({"search": "paper"}, {"annealer": "tracked", "temperature": 5.5e-5, "loss": "rollout", "steps": 10}),
        ({"search": "paper", "annealer": "fixed"}, {"temperature": 1.0}),
        ({"search": "paper", "annealer": "residual"}, {"temperature": 5.5e-5, "loss": "rollout"}),
        ({"search": "paper", "loss": "likelihood"}, {"steps": 1, "segments": 4}),
        ({}, {"evidence": 1 - 4 / (1.6 * 48)}),
        ({"segments": 1}, {"evidence": 0.95}),
        ({"segments": 100}, {"evidence": 0.0}),
        ({"evidence": 0.5}, {"evidence": 0.5}),
        ({"loss": "rollout"}, {"steps": 10, "segments": 0}),
        ({"epochs": 3}, {"epochs": 3, "minutes": None}),
        ({"epochs": 3, "minutes": 2.0}, {"epochs": 3, "minutes": None}),
        ({}, {"epochs": None, "minutes": 5.0}),
    ],
)
def test_what_is_chosen(given, chosen):
    resolved = Config(**given).resolve(SHAPE)
    assert {name: getattr(resolved, name) for name in chosen} == chosen
    assert resolved.resolve(SHAPE) == resolved


def test_few_frames_limit_what_is_chosen_but_not_what_is_asked_for():
    assert Config(search="paper").resolve((3, 4, 5, 4)).steps == 3
    assert Config().resolve((3, 4, 5, 4)).segments == 3
    with pytest.raises(InputError, match="4 steps need 5 frames, the data has 4"):
        Config(search="paper", steps=4).resolve((3, 4, 5, 4))


@pytest.mark.parametrize("given", [{}, {"learning_rate": 1e-7, "edge_hidden": (3, 4), "seed": 2**63 - 1}])
def test_settings_survive_a_file(given):
    for config in (Config(**given), Config(**given).resolve(SHAPE)):
        assert Config.from_mapping(yaml.safe_load(config.to_yaml()), "file") == config


@pytest.mark.parametrize(
    ("value", "hint", "fit"),
    [
        (3, int, True),
        (3, float, True),
        (3.0, int, False),
        (True, int, False),
        (False, float, False),
        (float("nan"), float, False),
        ("3", int, False),
        (None, int | None, True),
        (None, int, False),
        ("b", Literal["a", "b"] | None, True),
        ("c", Literal["a", "b"], False),
        (1, Literal["a", "b"], False),
        ((1, 2), tuple[int, ...], True),
        ((1, 2.5), tuple[int, ...], False),
        (1, tuple[int, ...], False),
    ],
)
def test_kinds(value, hint, fit):
    assert fits(value, hint) is fit


def test_kinds_in_words():
    assert in_words(int | None) == "a whole number"
    assert in_words(Literal["silu", "relu"]) == "silu or relu"
    assert in_words(tuple[int, ...]) == "a list of whole numbers"


@pytest.mark.parametrize(
    ("shape", "steps"), [(SHAPE, 600), ((1000, 49, 10, 4), 1152), ((20, 49, 5, 4), 600), ((50000, 49, 10, 4), 1152)]
)
def test_the_cooling_shows_three_tracks_of_each_task(shape, steps):
    assert Config().resolve(shape).cooling == steps


def test_a_schedule_by_epochs():
    schedule = Schedule(Config(epochs=4).resolve(SHAPE))
    clocks = [(clock.epoch, clock.progress, schedule.learning_rate) for clock in schedule.clocks()]
    assert [clock[:2] for clock in clocks] == [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75)]
    assert clocks[0][2] == pytest.approx(2e-2)
    assert clocks[2][2] == pytest.approx(2e-2 * 0.51)
    assert schedule.learning_rate == pytest.approx(2e-2 * 0.02)
    assert list(schedule.clocks()) == []


def passes(monkeypatch, seconds):
    """Runs a schedule of one minute on passes that take so long; the progress before each, and the schedule."""
    now = iter([100 * i + end for i in range(200) for end in (0, seconds(i))])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    schedule = Schedule(Config(minutes=1.0).resolve(SHAPE))
    return [clock.progress for clock in schedule.clocks()], schedule


def test_a_schedule_by_minutes_ends_on_time_though_the_machine_slows_down(monkeypatch):
    progress, schedule = passes(monkeypatch, lambda i: 1 if i < 30 else 5)
    assert progress == sorted(progress)
    assert progress[30] == pytest.approx(0.5)
    assert schedule.progress == 1.0
    assert schedule.seconds == 60
    assert schedule.seconds_left == 0


def test_a_stall_is_spread_over_many_passes(monkeypatch):
    progress, schedule = passes(monkeypatch, lambda i: 20 if i == 10 else 1)
    assert progress[10] == pytest.approx(1 / 6)
    assert progress[11] - progress[10] == pytest.approx(30 / 11 * (progress[10] - progress[9]))
    assert progress[-1] > 0.95
    assert schedule.progress == 1.0
    assert schedule.seconds == 60


def test_a_short_run_cools_over_most_of_it_and_a_long_one_no_longer_than_it_must():
    for epochs, batches, end in ((100, 1, 70), (1000, 1, 600), (1000, 10, 60)):
        schedule = Schedule(Config(epochs=epochs, cooling=600, batch=50).resolve(SHAPE), 50 * batches)
        cooled = [clock.cooled for clock in schedule.clocks()]
        assert cooled[end // 2] == pytest.approx(0.5)
        assert cooled[end - 1] < cooled[end] == pytest.approx(1.0)
        assert cooled[-1] == 1.0


def test_the_rate_is_halved_on_a_plateau():
    """40 passes without a lower loss are borne; after a halving 200 passes are not looked at, and then 40 are borne."""
    schedule = Schedule(Config(rate="plateau", learning_rate=4e-5, epochs=9).resolve(SHAPE))
    halved = []
    for epoch in range(1000):
        before = schedule.learning_rate
        schedule.note(1.0 if epoch < 100 else 0.5)
        if schedule.learning_rate < before:
            halved.append((epoch, schedule.learning_rate))
    # The first pass lowers the loss, so the 41st without is pass 41. Rest to pass 241; pass 100 is a lower loss.
    assert halved == [(41, 2e-5), (41 + 200 + 41, 1e-5)]
    assert schedule.halvings == 4  # the lowest rate is 1e-5
    improving = Schedule(Config(rate="plateau", epochs=9).resolve(SHAPE))
    first = improving.learning_rate
    for epoch in range(500):
        improving.note(-float(epoch // 40))
    assert improving.learning_rate == first


def test_minutes_are_used_up_where_nothing_says_how_many_steps_are_enough(monkeypatch):
    ends = []
    for search in ("paper", "heat-bath"):
        now = iter(range(10**5))
        monkeypatch.setattr("time.perf_counter", lambda now=now: next(now) / 100)
        schedule = Schedule(Config(search=search, cooling=10, minutes=1.0, batch=500).resolve(SHAPE), 1000)
        list(schedule.clocks())
        ends.append((schedule.steps, round(schedule.seconds)))
    assert ends[0] == (2 * 6000, 60)
    assert ends[1][0] == 100


def test_states_open_halfway_through_the_cooling():
    schedule = Schedule(Config(epochs=1000, cooling=100, hot=0.1).resolve(SHAPE))
    opening = {round(100 * clock.cooled): schedule.opening for clock in schedule.clocks()}
    assert [opening[at] for at in (0, 20, 46)] == pytest.approx([0.0, 0.0, 0.0])
    assert opening[46 + 13] + opening[46 + 14] == pytest.approx(1.0, abs=0.04)
    assert opening[73] == pytest.approx(1.0)
    assert opening[74] == opening[100] == 1.0
    assert Schedule(Config(search="paper").resolve(SHAPE)).opening == 1.0


def test_modules_come_together_as_the_hot_part_ends():
    data = simulate("springs", 16, entities=3, frames=12, seed=0)
    apart = []
    for passes in (5, 6):
        stop = iter([False] * passes + [True])
        _, loop, _ = train(Config(epochs=10, hot=0.7), data, stop=lambda it=stop: next(it))
        weight = loop.composition.edge.weights[0].detach()
        apart.append(float((weight[0] - weight[1]).norm()))
    assert apart[1] < 0.5 * apart[0]
