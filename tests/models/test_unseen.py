"""`unseen`: its files, the entity that it hides for a test, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bouncegrad import InputError, RelationalInference
from bouncegrad.app.cli import main
from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.particle_filter import ParticleFilter, Particles
from bouncegrad.core.unseen import UnseenEffort
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.stages import train
from bouncegrad.models.unseen import unseen, unseen_names
from bouncegrad.results.hidden import compared, hide
from bouncegrad.results.result import Result
from bouncegrad.results.unseen import Unseen
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

from .test_periodic import SIZE, boxed, shifted


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 16, entities=4, frames=32, seed=0)


@pytest.fixture(scope="module")
def run(tasks, tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("unseen") / "run")
    train(Config(epochs=20, threads=1), tasks, run)
    return run


@pytest.fixture
def few(monkeypatch):
    few = UnseenEffort(trials=2, sweeps=4, polish=2, refits=1, particles=Particles(count=50, first=200))
    monkeypatch.setattr("bouncegrad.models.unseen.EFFORT", few)


def test_the_command_writes_the_files_that_it_names(tasks, run, tmp_path, capsys, few):
    save(tasks.select(range(2)), tmp_path / "new.npz")
    words = ["unseen", str(run.folder), str(tmp_path / "new.npz"), "--out", str(tmp_path / "u"), "--hide", "1"]
    assert main([*words, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert {"track_error", "centre_error", "hidden_edge_accuracy", "by_degree", "determined"} <= set(numbers)
    assert sum(row["tasks"] for row in numbers["by_degree"]) == 2
    table = pd.read_csv(tmp_path / "u" / "tracks.csv")
    assert list(table.columns) == ["task", "frame", "time", "entity", "x", "y", "vx", "vy", "determined"]
    assert len(table) == 2 * 32
    result = Result.load(tmp_path / "u" / "result.npz")
    assert result.entities == ("0", "2", "3", "unseen")
    assert len(pd.read_csv(tmp_path / "u" / "edges.csv")) == 2 * 12
    picture = (tmp_path / "u" / "unseen.svg").read_text()
    assert all(word in picture for word in ("visible", "true", "found", "unseen"))
    assert main(words) == 0
    assert "interacts with" in capsys.readouterr().out


def test_the_number_of_unseen_entities_has_the_least_held_out_error(tasks, run, tmp_path, capsys, few):
    """Users asked for entities that were not observed."""
    save(tasks.select([0]), tmp_path / "new.npz")
    words = ["unseen", str(run.folder), str(tmp_path / "new.npz"), "--out", str(tmp_path / "u"), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    errors = found["errors_by_count"]
    assert list(errors) == ["0", "1", "2"]
    assert found["unseen"] == int(min(errors, key=lambda count: errors[count]))


def test_a_hidden_entity_becomes_the_last(tasks):
    visible, whole = hide(tasks, "1")
    assert whole.entities == ("0", "2", "3", "1")
    np.testing.assert_array_equal(whole.x[:, :, 3], tasks.x[:, :, 1])
    np.testing.assert_array_equal(visible.x, whole.x[:, :, :3])
    assert whole.edges[0, 3, 1] == tasks.edges[0, 1, 2]
    assert whole.edges[0, 1, 3] == tasks.edges[0, 2, 1]
    with pytest.raises(InputError, match="option hide: simulate springs has no entity 'ball'; it has 0, 1, 2, 3"):
        hide(tasks, "ball")


def test_the_true_tracks_have_no_error(tasks):
    _, whole = hide(tasks, "0")
    probability = np.eye(2)[whole.edges] * (1 - np.eye(4))[..., None]
    result = Result.from_probability(probability, np.zeros(16), 32, entities=whole.entities, tasks=whole.tasks)
    sure = np.ones(16, dtype=bool)
    found = Unseen(whole.x[:, :, 3:], sure, np.zeros(16), result, {}, 0.1, whole.features, whole.units)
    numbers = compared(found, whole, np.ones(4), 2)
    assert (numbers["track_error"], numbers["edge_accuracy"], numbers["hidden_edge_accuracy"]) == (0, 1, 1)
    centre = np.square(whole.x[:, :, :3].mean(2) - whole.x[:, :, 3]).mean()
    assert numbers["centre_error"] == pytest.approx(centre)
    degree = (whole.edges[:, 3] > 0).sum(1)
    assert [row["interacts_with"] for row in numbers["by_degree"]] == sorted(set(degree.tolist()))


def test_names_of_unseen_entities_are_new(tasks):
    assert unseen_names(tasks, 2) == ("unseen 1", "unseen 2")
    assert unseen_names(replace(tasks, entities=("unseen", "b", "c", "d")), 1) == ("unseen'",)


def test_impossible_searches_are_refused(tasks):
    lagged = RelationalInference(epochs=1, threads=1, lags=1).fit(tasks).model_
    with pytest.raises(InputError, match="a model with --lags or --candidates"):
        unseen(lagged, tasks)
    model = RelationalInference(epochs=1, threads=1).fit(tasks).model_
    with pytest.raises(InputError, match="option count: 4 cannot be used; give 1 to 3"):
        unseen(model, tasks, 4)
    with pytest.raises(InputError, match="leaves 9 of 19"):
        unseen(model, tasks, None, 19)


@pytest.fixture(scope="module")
def in_a_box():
    """A model of particles in a periodic box, after a short training, and two new recordings."""
    model = RelationalInference(epochs=4, threads=1, edge_hidden=(16,), node_hidden=(16,)).fit(boxed(8)[0]).model_
    return model, boxed(2, frames=24, seed=9)[0]


def test_first_particles_are_anywhere_in_a_periodic_box(in_a_box):
    model, data = in_a_box
    tracks = scaled_tracks(data, model.scaling)[0]
    composition = model.composition.on(5)
    first = ParticleFilter(composition, tracks, torch.Generator().manual_seed(0), Particles(first=4000)).states[0]
    share = first[:, 0, :2] / composition.view.box
    assert ((share >= 0) & (share < 1)).all()
    assert np.histogram(share.numpy(), 10, (0, 1))[0] == pytest.approx(800, rel=0.15)


def test_unseen_entities_of_a_periodic_box_are_in_it(in_a_box, few):
    model, data = in_a_box
    visible, whole = hide(data, "2")
    found = unseen(model, replace(visible, periodic=()), 1)  # as training states it
    assert ((found.tracks[..., :2] >= 0) & (found.tracks[..., :2] < SIZE)).all()
    numbers = compared(found, whole, model.scaling.published(), 2)
    aside = replace(found, tracks=np.concatenate([np.mod(found.tracks[..., :2] + 1, SIZE), found.tracks[..., 2:]], -1))
    moved = compared(aside, shifted(whole, (1.0, 1.0)), model.scaling.published(), 2)
    assert moved["track_error"] == pytest.approx(numbers["track_error"])
    assert moved["centre_error"] == pytest.approx(numbers["centre_error"])


@pytest.mark.slow
def test_an_unseen_entity_is_found_over_the_walls():
    model = RelationalInference(epochs=60, threads=1).fit(boxed(100, frames=40)[0]).model_
    visible, whole = hide(boxed(4, frames=40, seed=9)[0], "1")
    numbers = compared(unseen(model, visible, 1), whole, model.scaling.published(), 2)
    assert numbers["track_error"] < 0.1 * numbers["centre_error"]
