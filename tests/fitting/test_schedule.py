"""The schedule of a run: by epochs, by minutes, its cooling, its learning rate, and its hot part."""

from __future__ import annotations

import pytest

from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.stages import train
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

SHAPE = (1000, 49, 5, 4)


def test_a_schedule_by_epochs():
    schedule = Schedule(resolve(Config(epochs=4), SHAPE))
    clocks = [(clock.epoch, clock.progress, schedule.learning_rate) for clock in schedule.clocks()]
    assert [clock[:2] for clock in clocks] == [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75)]
    assert clocks[0][2] == pytest.approx(2e-2)
    assert clocks[2][2] == pytest.approx(2e-2 * 0.51)
    assert schedule.learning_rate == pytest.approx(2e-2 * 0.02)
    assert list(schedule.clocks()) == []


def passes(monkeypatch, seconds):
    """Runs a schedule of one minute, in which pass i takes `seconds(i)`; returns the progress before each pass."""
    now = iter([100 * i + end for i in range(200) for end in (0, seconds(i))])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    schedule = Schedule(resolve(Config(minutes=1.0, forecast=0.0), SHAPE))
    return [clock.progress for clock in schedule.clocks()], schedule


def test_a_schedule_by_minutes_ends_on_time_if_the_machine_slows_down(monkeypatch):
    progress, schedule = passes(monkeypatch, lambda i: 1 if i < 30 else 5)
    assert progress == sorted(progress)
    assert progress[30] == pytest.approx(0.5)
    assert schedule.progress == 1.0
    assert schedule.seconds == 60
    assert schedule.seconds_left == 0


def test_the_time_of_a_slow_pass_is_distributed_over_many_passes(monkeypatch):
    progress, schedule = passes(monkeypatch, lambda i: 20 if i == 10 else 1)
    assert progress[10] == pytest.approx(1 / 6)
    assert progress[11] - progress[10] == pytest.approx(30 / 11 * (progress[10] - progress[9]))
    assert progress[-1] > 0.95
    assert schedule.progress == 1.0
    assert schedule.seconds == 60


def test_a_short_run_cools_for_70_percent_and_a_long_run_for_a_fixed_number_of_steps():
    for epochs, batches, end in ((100, 1, 70), (1000, 1, 600), (1000, 10, 60)):
        schedule = Schedule(resolve(Config(epochs=epochs, cooling=600, batch=50), SHAPE), 50 * batches)
        cooled = [clock.cooled for clock in schedule.clocks()]
        assert cooled[end // 2] == pytest.approx(0.5)
        assert cooled[end - 1] < cooled[end] == pytest.approx(1.0)
        assert cooled[-1] == 1.0


def test_the_rate_is_halved_on_a_plateau():
    """The rate is halved after 40 passes without a lower loss; the 200 passes after a halving do not count."""
    schedule = Schedule(resolve(Config(rate="plateau", learning_rate=4e-5, epochs=9), SHAPE))
    halved = []
    for epoch in range(1000):
        before = schedule.learning_rate
        schedule.note(1.0 if epoch < 100 else 0.5)
        if schedule.learning_rate < before:
            halved.append((epoch, schedule.learning_rate))
    # Pass 0 lowers the loss, so pass 41 is the 41st without a lower one. The next 200 passes do not count.
    assert halved == [(41, 2e-5), (41 + 200 + 41, 1e-5)]
    assert schedule.halvings == 4  # the lowest rate is 1e-5
    improving = Schedule(resolve(Config(rate="plateau", epochs=9), SHAPE))
    first = improving.learning_rate
    for epoch in range(500):
        improving.note(-float(epoch // 40))
    assert improving.learning_rate == first


def test_without_a_cooling_a_run_uses_all_its_minutes(monkeypatch):
    ends = []
    for search in ("paper", "heat-bath"):
        now = iter(range(10**5))
        monkeypatch.setattr("time.perf_counter", lambda now=now: next(now) / 100)
        schedule = Schedule(resolve(Config(search=search, cooling=10, minutes=1.0, batch=500), SHAPE), 1000)
        list(schedule.clocks())
        ends.append((schedule.steps, round(schedule.seconds)))
    assert ends[0] == (2 * 6000, 60)
    assert ends[1][0] == 100


def test_states_open_in_the_middle_of_the_cooling():
    schedule = Schedule(resolve(Config(epochs=1000, cooling=100, hot=0.1), SHAPE))
    opening = {round(100 * clock.cooled): schedule.opening for clock in schedule.clocks()}
    assert [opening[at] for at in (0, 20, 46)] == pytest.approx([0.0, 0.0, 0.0])
    assert opening[46 + 13] + opening[46 + 14] == pytest.approx(1.0, abs=0.04)
    assert opening[73] == pytest.approx(1.0)
    assert opening[74] == opening[100] == 1.0
    assert Schedule(resolve(Config(search="paper"), SHAPE)).opening == 1.0


def test_edge_modules_are_brought_together_at_the_end_of_the_hot_part():
    data = simulate("springs", 16, entities=3, frames=12, seed=0)
    apart = []
    for passes in (5, 6):
        stop = iter([False] * passes + [True])
        _, loop, _ = train(Config(epochs=10, hot=0.7), data, environment=Environment(stop=lambda it=stop: next(it)))
        weight = loop.composition.edge.weights[0].detach()
        apart.append(float((weight[0] - weight[1]).norm()))
    assert apart[1] < 0.5 * apart[0]


def test_joint_draws_visit_few_tasks_for_two_coolings() -> None:
    config = resolve(Config(search="joint-draws", minutes=1.0), (1000, 49, 20, 4))
    schedule = Schedule(config, 1000)
    assert (schedule.narrow, schedule.batches) == (True, 4)
    schedule.cooled = 1.9
    assert schedule.narrow
    schedule.progress = 0.8  # the rest of the run is for all tasks
    assert (schedule.narrow, schedule.batches) == (False, 16)
    schedule.progress, schedule.cooled = 0.1, 2.0
    assert not schedule.narrow
