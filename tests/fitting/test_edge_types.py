"""`--edge_types auto`: the rule for given losses, shares of time, what is stored and printed, and simulated data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.fitting.edge_types import Choice, chosen, fewest, margin_of, settle_edge_types, shared_out
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

from ..refusals import assert_refused
from ..reports.conftest import fixture_path

SMALL = {"threads": 1, "edge_hidden": (16,), "node_hidden": (16,)}


@pytest.fixture(scope="module")
def springs() -> Trajectories:
    return simulate("springs", 12, entities=3, frames=20, seed=0)


@pytest.mark.parametrize(
    ("losses", "k"),
    [
        ({1: 1.0, 2: -1.0, 3: -1.2, 4: -1.19}, 2),  # a tenth of 2.2 is 0.22
        ({1: 1.0, 2: -0.9, 3: -1.2, 4: -1.19}, 3),
        ({1: 1.0, 2: 0.5, 3: 0.1, 4: -0.3}, 4),
        ({1: 9.0, 2: -0.9, 3: -1.2, 4: -1.1}, 3),  # 0.25 nats at most
        ({1: 0.04, 2: 0.0, 3: 0.01, 4: 0.02}, 1),  # 0.05 nats at least
        ({1: 0.06, 2: 0.0, 3: 0.01, 4: 0.02}, 2),
        ({1: 0.0, 2: 0.1, 3: 0.2, 4: 0.3}, 1),
        ({2: -1.0, 3: -1.5, 4: -1.52}, 3),
        ({1: 1.0, 2: float("nan"), 3: -1.0, 4: float("inf")}, 3),
        ({1: 1.0}, 1),
    ],
)
def test_the_fewest_types_within_the_margin(losses, k):
    assert chosen(losses) == k
    found = {k: loss for k, loss in losses.items() if np.isfinite(loss)}
    assert all(loss > min(found.values()) + margin_of(found) for other, loss in found.items() if other < k)


def test_the_table_names_every_candidate_and_the_choice():
    lines = Choice(Config(edge_types=2), {1: 1.0, 2: -1.0, 3: -1.2}).lines()
    assert lines[:2] == ["edge types  held-out loss", "         1  1.0000"]
    assert lines[-1] == "2 edge types: the fewest within 0.22 nats of the best"


def test_half_of_the_run_is_shared_between_candidates():
    each, left = shared_out(Config(minutes=4), 4)
    assert (each.minutes, left.minutes) == (0.5, 2.0)
    each, left = shared_out(Config(epochs=100), 4)
    assert (each.epochs, left.epochs) == (12, 52)
    each, left = shared_out(Config(epochs=1), 3)
    assert (each.epochs, left.epochs) == (1, 1)
    assert shared_out(Config(), 4)[0].minutes == 0.625


def test_known_edges_and_settings_limit_the_candidates():
    known = np.full((2, 3, 3), -1)
    known[0, 0, 1] = 2
    assert fewest(Config(), None) == 1
    assert fewest(Config(pinned=True), None) == fewest(Config(candidates=3), None) == 2
    assert fewest(Config(), known) == fewest(Config(pinned=True), known) == 3


def test_true_edges_are_not_read_and_a_given_number_is_kept(springs):
    config = Config(edge_types="auto", epochs=16, **SMALL)
    one, two = settle_edge_types(config, springs), settle_edge_types(config, springs.without_edges())
    assert one == two
    assert list(one.losses) == [1, 2, 3, 4]
    assert one.config == replace(config, edge_types=chosen(one.losses), epochs=8)
    assert settle_edge_types(Config(edge_types=3), springs) == (Config(edge_types=3), {})


def test_the_estimator_chooses_and_keeps_the_table(springs):
    model = RelationalInference(edge_types="auto", epochs=16, **SMALL).fit(springs)
    k = chosen(model.held_out_losses_)
    assert model.model_.config.edge_types == k
    assert model.infer(springs).probability.shape == (12, 3, 3, k)
    assert RelationalInference(epochs=1, **SMALL).fit(springs).held_out_losses_ == {}


def test_windows_gaps_and_lags_work_too(springs):
    mask = np.ones(springs.x.shape[:3], bool)
    mask[0, 4:, 1] = False
    gaps = replace(springs, x=np.where(mask[..., None], springs.x, np.nan))
    for settings in ({"window": 9}, {"lags": 1}, {"shared_graph": True}, {"candidates": 1}, {"symmetric": True}):
        found = settle_edge_types(Config(edge_types="auto", epochs=8, **SMALL, **settings), gaps)
        assert np.isfinite(list(found.losses.values())).all(), settings


def test_a_model_with_one_type_trains_and_infers(springs):
    model = RelationalInference(edge_types=1, epochs=3, **SMALL).fit(springs)
    result = model.infer(springs)
    assert (result.edges == 0).all()
    assert result.probability.shape == (12, 3, 3, 1)
    assert np.isfinite(model.predict(springs, 3)).all()


def test_the_command_line_prints_stores_and_reports_the_choice(command, tmp_path, monkeypatch, springs):
    monkeypatch.chdir(tmp_path)
    save(springs, "springs.npz")
    settings = ["--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    words = ["train", "--data", "springs.npz", "--out", "run", "--edge_types", "auto", "--epochs", 16, *settings]
    done = command(*words)
    assert done.status == 0, done.err
    table = [line.split() for line in done.out.splitlines() if line[:10].strip().isdigit()]
    losses = {int(k): float(loss) for k, loss in table}
    assert list(losses) == [1, 2, 3, 4]
    about, config = Run("run").about(), Run("run").config()
    assert about["held_out_losses"] == pytest.approx({str(k): loss for k, loss in losses.items()}, abs=1e-4)
    assert (config.edge_types, config.epochs) == (chosen(losses), 8)
    assert f"{config.edge_types} edge type" in done.out
    assert command("report", "run").status == 0
    assert "chosen by held-out losses" in Path("run/report.html").read_text()
    assert command("infer", "run", "springs.npz", "--out", "result").status == 0
    assert command(*words, "--resume").status == 0
    assert_refused(command, words, "run: is not empty")
    assert json.loads(json.dumps(about["held_out_losses"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edge_types": "auto", "search": "paper"}, "auto needs the likelihoods"),
        ({"edge_types": "auto", "loss": "rollout"}, "auto needs the likelihoods"),
        ({"edge_types": "auto", "entity_types": 2}, "they determine the number of edge types"),
        ({"edge_types": "many"}, "a whole number or auto"),
        ({"edge_types": 0}, "from 1 to 64, or auto"),
        ({"edge_types": 65}, "from 1 to 64, or auto"),
        ({"edge_types": 1, "pinned": True}, "type 0 is no interaction; give at least 2"),
    ],
)
def test_settings_that_exclude_a_choice_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Config(**settings)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "k"), [("springs4", 2), ("free4", 1), ("types3", 3)])
def test_the_true_number_of_types_is_chosen(name, k):
    """Users asked how to choose K without true edges; if there are two types, K = 1 has the largest loss."""
    data = load(fixture_path(f"{name}.npz"))
    found = settle_edge_types(Config(edge_types="auto", epochs=6000, threads=1), data)
    assert found.config.edge_types == k, found.losses
    if k > 1:
        assert max(found.losses, key=found.losses.__getitem__) == 1


def test_too_few_tasks_or_frames_are_refused(springs):
    for data in (springs.select([0, 1, 2]), springs.frames(0, 3)):
        with pytest.raises(InputError, match="auto holds out a quarter of the tasks and half of their frames"):
            settle_edge_types(Config(edge_types="auto"), data)
