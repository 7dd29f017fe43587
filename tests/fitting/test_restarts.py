"""Restarts: labels are judged without true edges; if they may be wrong, the cooling with the least loss is kept."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.data.simulate import simulate
from bouncegrad.fitting import restarts
from bouncegrad.fitting.restarts import Restarts, Rules, agreement_of_directions
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.stages import train
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve


def upper(entities: int) -> np.ndarray:
    return np.triu(np.ones((1, entities, entities), dtype=int), 1)


def test_agreement_of_directions_is_measured_beyond_chance():
    generator = np.random.default_rng(0)
    random = generator.integers(0, 3, (200, 6, 6)) * (1 - np.eye(6, dtype=int))
    assert agreement_of_directions(np.triu(random, 1) + np.triu(random, 1).swapaxes(1, 2), 3) == pytest.approx(1.0)
    assert agreement_of_directions(random, 3) == pytest.approx(0.0, abs=0.05)
    assert agreement_of_directions(upper(5), 2) == pytest.approx(-1.0)
    assert agreement_of_directions(0 * upper(5), 2) == 0.0
    padded = np.pad(random, ((0, 0), (0, 3), (0, 3)), constant_values=-1)
    assert agreement_of_directions(padded, 3) == agreement_of_directions(random, 3)
    assert agreement_of_directions(np.full((2, 3, 3), -1), 3) == 0.0


@pytest.fixture
def judged(monkeypatch):
    """Lists the decisions after coolings: whether a restart follows, the verdict, and the losses so far."""
    seen = []
    before = Restarts.judge

    def judge(self, may_restart):
        again = before(self, may_restart)
        seen.append((again, self.verdict, [start["loss"] for start in self.ended]))
        return again

    monkeypatch.setattr(Restarts, "judge", judge)
    return seen


def run(**settings):
    data = simulate("springs", 20, entities=4, frames=12, seed=0)
    return train(Config(**{"epochs": 40, "cooling": 4, "threads": 1} | settings), data)


def test_if_both_directions_agree_there_is_no_restart(judged, monkeypatch):
    monkeypatch.setattr(restarts, "RULES", Rules(directions=-2.0))
    _, _, rows = run()
    assert [again for again, *_ in judged] == [False]
    assert rows[-1]["labels"].startswith("cooling 1: both directions agree")
    assert "wrong" not in rows[-1]["labels"]


def test_if_the_first_restart_agrees_there_is_no_second_one(judged, monkeypatch):
    monkeypatch.setattr(restarts, "RULES", Rules(directions=2.0, starts=0.1))
    _, _, rows = run()
    assert [again for again, *_ in judged] == [True, False]
    assert "two coolings agree on" in rows[-1]["labels"]
    assert "wrong" not in rows[-1]["labels"]


def test_if_no_coolings_agree_the_one_with_the_least_loss_is_kept(judged, monkeypatch):
    monkeypatch.setattr(restarts, "RULES", Rules(directions=2.0, starts=2.0))
    gone_on, before = [], Restarts.go_on_from
    monkeypatch.setattr(
        Restarts, "go_on_from", lambda self, state: (gone_on.append((state, list(self.ended))), before(self, state))
    )
    _, loop, rows = run()
    assert [again for again, *_ in judged] == [True, True, False]
    assert rows[-1]["labels"].endswith("they may be wrong: no two coolings agree")
    state, ended = gone_on[-1]
    assert len({start["loss"] for start in ended}) == 3
    assert state is min(ended, key=lambda start: start["loss"])["state"]
    first, second = (s["composition"]["edge.weights.0"] for s, _ in gone_on[:2])
    assert not np.allclose(first, second)
    assert loop.annealer.temperature == 1.0


def test_late_in_a_run_there_is_no_restart(judged, monkeypatch):
    monkeypatch.setattr(restarts, "RULES", Rules(directions=2.0))
    _, _, rows = run(epochs=8)
    assert [again for again, *_ in judged] == [False]
    assert rows[-1]["labels"].endswith("there was no time for a restart")


def test_labels_of_the_search_of_the_paper_are_not_judged(judged):
    assert run(search="paper")[2][-1]["labels"] == ""


def test_labels_are_judged_without_the_coupling(judged):
    assert "both directions agree 1.00" not in run(symmetric=True)[2][-1]["labels"]


def test_a_run_without_limit_ends_after_ten_coolings(monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    schedule = Schedule(resolve(Config(minutes=60, cooling=12, batch=10), (40, 9, 3, 2)), 40)
    progress = [clock.progress for clock in schedule.clocks()]
    assert schedule.steps == 120
    assert progress == pytest.approx([4 * i / 120 for i in range(30)])


def test_a_pass_of_the_cooling_visits_only_some_tasks(monkeypatch):
    schedule = Schedule(resolve(Config(epochs=10, cooling=64), (2048, 9, 3, 2)), 2048)
    steps = []
    for _ in schedule.clocks():
        steps.append(schedule.steps)
    assert steps[:7] == [0, 16, 32, 48, 64, 96, 128]
    assert schedule.progress == 1.0
