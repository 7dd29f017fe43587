"""Held-out frames and variants: what is held out, what is tried, what is chosen, stored and printed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.fitting import variants
from bouncegrad.fitting.variants import LONGER, settle_variants
from bouncegrad.models.held_out import errors_of, hold_out, judged, own_law_errors, with_verdict
from bouncegrad.models.model import Model
from bouncegrad.settings.config import Config

SMALL = {"threads": 1, "edge_hidden": (8,), "node_hidden": (8,)}


@pytest.fixture(scope="module")
def single() -> Trajectories:
    return simulate("springs", 1, entities=3, frames=300, seed=0)


def test_a_single_recording_is_divided_in_time_with_a_gap(single):
    parts = hold_out(single, Config())
    assert parts.in_time
    assert parts.one_graph
    assert parts.training.shape[1] + parts.later.shape[1] < 300
    np.testing.assert_array_equal(parts.later.x, single.x[:, -parts.later.shape[1] :])
    assert parts.training.edges is None
    assert parts.later.edges is None


def test_of_several_recordings_a_quarter_is_held_out_and_halved():
    parts = hold_out(simulate("springs", 12, entities=3, frames=40, seed=0), Config())
    assert not parts.in_time
    assert not parts.one_graph
    assert (parts.training.shape[0], parts.past.shape[:2], parts.later.shape[:2]) == (9, (3, 20), (3, 21))


def test_recordings_of_one_graph_hold_out_whole_recordings():
    parts = hold_out(simulate("springs", 12, entities=3, frames=40, shared=True, seed=0), Config(shared_graph=True))
    assert parts.one_graph
    assert not parts.in_time
    assert parts.training is parts.past
    assert (parts.training.shape[0], parts.later.shape[:2]) == (9, (3, 40))


@pytest.mark.parametrize("config", [Config(window=5), Config(search="paper")])
def test_some_runs_hold_nothing_out(config, single):
    assert hold_out(single, config) is None


def test_many_recordings_and_short_ones_hold_nothing_out():
    assert hold_out(simulate("springs", 100, entities=3, frames=10, seed=0), Config()) is None
    assert hold_out(simulate("springs", 1, entities=3, frames=30, seed=0), Config()) is None
    assert hold_out(simulate("springs", 20, entities=13, frames=30, seed=0), Config()) is None


def test_epochs_and_none_choose_nothing(single):
    assert settle_variants(Config(epochs=1), single) is None
    assert settle_variants(Config(variants="none", minutes=1), single) is None


def test_losses_of_the_modules_are_those_of_the_later_frames_block_by_block(single):
    parts = hold_out(single, Config())
    model = RelationalInference(epochs=3, **SMALL).fit(parts.training).model_
    found = errors_of(model, parts).loss
    assert found.shape == (20,)
    changed = np.array(parts.later.x)
    changed[:, -1] += 0.05  # only the last block sees it
    other = errors_of(model, parts._replace(later=replace(parts.later, x=changed))).loss
    np.testing.assert_array_equal(found[:-1], other[:-1])
    assert found[-1] != other[-1]


def test_the_own_law_explains_what_follows_from_the_entity_alone():
    rng = np.random.default_rng(0)
    x = np.zeros((12, 60, 3, 1))
    x[:, 0] = rng.normal(size=(12, 3, 1))
    for t in range(59):
        x[:, t + 1] = 0.9 * x[:, t] - 0.05 * x[:, t] ** 3
    exact = own_law_errors(hold_out(Trajectories(x), Config()))
    noisy = own_law_errors(hold_out(Trajectories(x + 0.1 * rng.normal(size=x.shape)), Config()))
    assert exact.max() < -1.8  # a resolution of 0.05 gives 0.5 log(2 pi 0.05²) = -2.08 at best
    assert noisy.min() > exact.max()


def test_recordings_of_a_model_of_many_are_judged_by_their_second_half(tmp_path):
    springs = simulate("springs", 120, entities=3, frames=40, seed=0)
    model = RelationalInference(epochs=60, **SMALL).fit(springs).model_
    new = simulate("springs", 20, entities=3, frames=40, seed=1)
    found = with_verdict(model, new, model.infer(new))
    assert found.verdict.kind == "interaction"
    np.testing.assert_array_equal(found.probability, model.infer(new).probability)
    assert judged(model, new.select([0, 1, 2])) is None
    assert judged(model, new.frames(0, 5)) is None


def test_recordings_whose_graph_does_not_help_are_told_so():
    springs = simulate("springs", 120, entities=3, frames=40, seed=0)
    model = RelationalInference(epochs=60, **SMALL).fit(springs).model_
    rng, x = np.random.default_rng(0), np.zeros((20, 40, 3, 4))
    for t in range(1, 40):
        x[:, t] = 0.9 * x[:, t - 1] + 0.1 * rng.normal(size=(20, 3, 4))
    new = Trajectories(x, features=springs.features, dt=springs.dt)
    found = with_verdict(model, new, model.infer(new))
    assert found.verdict.kind in ("nothing", "weak")
    np.testing.assert_array_equal(found.probability, model.infer(new).probability)


@pytest.fixture
def hurried(monkeypatch):
    """Lets runs of seconds choose, too."""
    monkeypatch.setattr(variants, "LEAST_MINUTES", 0.0)


def test_only_runs_that_are_long_enough_choose():
    assert not variants.chooses(Config(minutes=0.4))
    assert variants.chooses(Config())


def test_a_stop_before_the_first_variant_chooses_nothing(hurried, single):
    assert settle_variants(Config(minutes=0.1, **SMALL), single, stop=lambda: True) is None


def test_without_time_only_what_the_verdict_needs_is_tried(hurried, monkeypatch, single):
    monkeypatch.setattr(variants, "MOST", 0.0)
    chosen = settle_variants(Config(minutes=0.02, **SMALL), single)
    assert list(chosen.tried) == list(variants.NEEDED)
    assert chosen.name == "as given"


def test_the_choice_trains_every_variant_and_keeps_the_clock(hurried, monkeypatch, single):
    monkeypatch.setattr(variants, "MOST", np.inf)  # however slow the machine is
    seen: list[str] = []
    chosen = settle_variants(Config(minutes=0.1, **SMALL), single, report=lambda name, row, share: seen.append(name))
    assert {"as given", "one edge type", "small modules", "mirrored copies", LONGER} <= set(chosen.tried)
    assert set(seen) <= set(chosen.tried)
    assert chosen.config.minutes < 0.1
    assert chosen.trust.in_time
    assert [rival.name for rival in chosen.verdict.rivals][1:] == [
        "own past",
        "modules without edges",
        "one kind of pair",
        "linear regression",
    ]
    assert chosen.lines()[-1] == chosen.verdict.sentence


def test_the_choice_is_stored_and_the_model_knows_it(hurried, command, single, tmp_path):
    save(single, tmp_path / "one.npz")
    line = ["--minutes", "0.05", "--threads", "1", "--edge_hidden", "[8]", "--node_hidden", "[8]"]
    printed = command("train", "--data", tmp_path / "one.npz", "--out", tmp_path / "run", *line).out
    about = json.loads((tmp_path / "run" / "data.json").read_text())["held_out_frames"]
    assert about["in_time"] is True
    model = Model.load(tmp_path / "run")
    assert model.trust.verdict.kind == about["verdict"]["kind"]
    assert model.trust.verdict.sentence in printed
    told = json.loads(command("infer", tmp_path / "run", tmp_path / "one.npz", "--out", tmp_path / "r", "--json").out)
    assert told["verdict"] == about["verdict"]["kind"]
    assert told["rivals"][0]["name"] == "learned modules"
    assert (tmp_path / "r" / "regression_edges.csv").exists() == (told["verdict"] == "regression")


def test_a_pinned_type_that_was_chosen_is_not_said_to_be_stated(hurried, monkeypatch, command, single, tmp_path):
    pinned = variants.PINNED
    monkeypatch.setattr(variants._Choice, "best", lambda self: pinned if pinned in self.errors else "as given")
    monkeypatch.setattr(variants, "MOST", 0.0)
    monkeypatch.setattr(variants, "NEEDED", (variants.AS_GIVEN, pinned))
    save(single, tmp_path / "one.npz")
    line = ["--minutes", "0.02", "--threads", "1", "--edge_hidden", "[8]", "--node_hidden", "[8]"]
    said = "chosen by held-out frames: type 0 is no interaction, 0.5 of the edges are none"
    run, result = tmp_path / "run", tmp_path / "r"
    assert said in command("train", "--data", tmp_path / "one.npz", "--out", run, *line).out
    told = command("infer", run, tmp_path / "one.npz", "--out", result).out
    assert said in told
    assert "stated beforehand" not in told
    assert said in command("evaluate", run, tmp_path / "one.npz").out
    command("report", run, "--data", tmp_path / "one.npz", "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "chosen by held-out frames" in page
    assert "stated beforehand" not in page
