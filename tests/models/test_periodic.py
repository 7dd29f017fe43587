"""A box with periodic walls: the same results wherever the box begins, from training to forecasts and files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.particle_filter import Particles
from bouncegrad.core.unseen import UnseenEffort
from bouncegrad.data.angles import wrapped
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.inspection import inspect
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.velocities import with_velocities
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.model import Model

SHORT = {"epochs": 4, "threads": 1, "edge_hidden": (16,), "node_hidden": (16,)}
SIZE = 3.0
BOX = ("x:3", "y:3")


def boxed(tasks: int, entities: int = 4, frames: int = 30, seed: int = 0) -> tuple[Trajectories, np.ndarray]:
    """Particles that drift through a box; edges pull the shorter way, `a_t = Σ_s d / (1 + (2 |d|)^4)`.

    Returns the recordings, and the tracks without walls.
    """
    rng = np.random.default_rng(seed)
    edges = np.triu(rng.integers(2, size=(tasks, entities, entities)), 1)
    edges = edges + edges.swapaxes(1, 2)
    x = rng.uniform(0, SIZE, size=(tasks, entities, 2))
    v = rng.normal(0, 0.5, size=(tasks, entities, 2)) + rng.normal(0, 0.8, size=(tasks, 1, 2))
    track = np.empty((tasks, frames, entities, 4))
    for frame in range(frames):
        track[:, frame] = np.concatenate([x, v], -1)
        for _ in range(5):
            d = wrapped(x[:, :, None] - x[:, None], np.full(2, SIZE))  # source minus target
            pull = 2 * d / (1 + 16 * np.square(d).sum(-1, keepdims=True) ** 2)
            v = v + 0.02 * (edges[..., None] * pull).sum(1)
            x = x + 0.02 * v
    inside = track.copy()
    inside[..., :2] = np.mod(track[..., :2], SIZE)
    names = ("x", "y", "vx", "vy")
    return Trajectories(inside, edges=edges, dt=0.1, features=names, periodic=BOX), track


def shifted(data: Trajectories, by: tuple[float, float] = (1.3, -0.7)) -> Trajectories:
    """Moves all positions by the same amount, modulo the size of the box."""
    x = data.x.copy()
    x[..., :2] = np.mod(x[..., :2] + np.array(by), SIZE)
    return replace(data, x=x)


@pytest.fixture(scope="module")
def few() -> Trajectories:
    data = boxed(8)[0]
    mask = np.ones(data.x.shape[:3], bool)
    mask[0, 7:9, 1] = mask[1, 20:, 2] = mask[2, :3, 0] = False
    return replace(data, mask=mask)


@pytest.fixture(scope="module")
def trained(few):
    return RelationalInference(**SHORT, forecast=0.3, horizon=3).fit(few)


def test_messages_stay_the_same_wherever_the_box_begins():
    data, _ = boxed(3)
    scaling = Scaling.fit(data)
    assert scaling.period == (SIZE, SIZE, 0.0, 0.0)
    model = RelationalInference(**SHORT).fit(data).model_
    graph = model.composition
    messages = []
    for moved in (data, shifted(data), shifted(data, (-2.0, 2.9))):
        states = graph.with_history(scaled_tracks(moved, model.scaling))
        messages.append(graph.all_messages(states))
    for other in messages[1:]:
        torch.testing.assert_close(other, messages[0], atol=1e-4, rtol=1e-3)


def test_changes_and_velocities_are_those_without_walls():
    data, track = boxed(5)
    scaling = Scaling.fit(data)
    free = Scaling.fit(replace(data, x=track, periodic=()))
    assert scaling.change == pytest.approx(free.change)
    scaled = scaled_tracks(data, scaling).double().numpy() * np.array(scaling.scale)
    np.testing.assert_allclose(np.diff(scaled[..., :2], axis=1), np.diff(track[..., :2], axis=1), atol=1e-5)
    apart = wrapped(track[:, :, :, None, :2] - track[:, :, None, :, :2], np.full(2, SIZE))
    everyone = ~np.eye(4, dtype=bool)
    assert scaling.difference[:2] == pytest.approx(np.sqrt(np.square(apart[:, :, everyone]).mean((0, 1, 2))), rel=0.05)
    bare = replace(data, x=data.x[..., :2], features=("x", "y"), units=())
    smooth = with_velocities(replace(bare, x=track[..., :2], periodic=()))
    np.testing.assert_allclose(with_velocities(bare).x[..., 2:], smooth.x[..., 2:], atol=1e-9)
    np.testing.assert_allclose(with_velocities(bare).frames(3, 9).x[..., 2:], smooth.frames(3, 9).x[..., 2:], atol=1e-9)
    assert inspect(data).warnings == ()
    assert any("--periodic '[x:3,y:3]'" in line for line in inspect(replace(data, periodic=())).warnings)


def test_nearest_pairs_are_found_over_the_wall():
    x = np.zeros((1, 4, 3, 1)) + np.array([0.1, 1.2, 2.9])[:, None]
    data = Trajectories(x, features=("x",), periodic=("x:3",))
    assert candidate_pairs(1, data).T.tolist() == [[2, 0], [0, 1], [0, 2]]
    assert candidate_pairs(1, replace(data, periodic=())).T.tolist() == [[1, 0], [0, 1], [1, 2]]


def test_a_shift_changes_no_result(few, trained):
    moved = shifted(few)
    one, two = trained.infer(few), trained.infer(moved)
    np.testing.assert_allclose(one.probability, two.probability, atol=1e-4)
    here, there = trained.forecast(few, 5, 15), trained.forecast(moved, 5, 15)
    known = ~np.isnan(here.x[..., 0])
    for future in (here, there):
        assert ((future.x[..., :2][known] >= 0) & (future.x[..., :2][known] < SIZE)).all()
    by = np.array([1.3, -0.7, 0, 0])
    for field in ("x", "low", "high"):
        apart = getattr(there, field) - getattr(here, field) - by
        np.testing.assert_allclose(np.nan_to_num(wrapped(apart, few.periods)), 0, atol=1e-3)
    a, b = (evaluate(trained.model_, data, 10).numbers for data in (few, moved))
    for name in ("mse_1", "mse_10", "loss", "edge_accuracy"):
        assert a[name] == pytest.approx(b[name], rel=1e-2), name
    for name in ("static", "constant_velocity"):
        assert a["baselines"][name]["mse_1"] == pytest.approx(b["baselines"][name]["mse_1"]), name
    for name in ("least_squares", "correlation", "distance"):
        assert a["baselines"][name]["auroc"] == pytest.approx(b["baselines"][name]["auroc"], abs=1e-6), name


def test_files_runs_and_the_command_line_keep_the_box(few, trained, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(few, "own.npz")
    assert load("own.npz").periodic == BOX
    save(few, "table.csv")
    assert load("table.csv", periodic=["x:3.0", "y:3"]).periodic == BOX
    assert "not kept: periodic x:3, y:3" in command("convert", "own.npz", "again.csv").out
    options = ["--epochs", 4, "--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    assert command("train", "--data", "table.csv", "--periodic", "[x:3,y:3]", "--out", "run", *options).status == 0
    model = Model.load("run")
    assert model.periodic == BOX
    np.testing.assert_array_equal(model.infer(load("table.csv")).probability, model.infer(few).probability)
    resumed = command("train", "--resume", "--data", "table.csv", "--out", "run")
    assert resumed.status == 0, resumed.err
    for name in ("infer", "predict"):
        more = ["--steps", 3] if name == "predict" else []
        assert command(name, "run", "table.csv", *more, "--out", name).status == 0
    assert command("without", "run", "table.csv", "--entity", "1", "--steps", 3, "--out", "without").status == 0
    with pytest.raises(InputError, match="periodic positions x:4 differ from those of training, x:3, y:3; leave --per"):
        model.infer(load("table.csv", periodic=["x:4"]))
    little = UnseenEffort(trials=2, sweeps=4, polish=1, refits=0, particles=Particles(count=50, first=100))
    monkeypatch.setattr("bouncegrad.models.unseen.EFFORT", little)
    save(few.select([3, 4]), "whole.npz")
    assert command("unseen", "run", "whole.npz", "--hide", "1", "--context", "12", "--out", "unseen").status == 0


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("x", "'x' has no size of the box; give it as x:10"),
        ("x:wide", "'x:wide' has no size"),
        ("x:-3", "'x:-3' has no size"),
        ("x:nan", "'x:nan' has no size"),
        ("z:3", "'z' is no feature; it has x, y, vx, vy"),
    ],
)
def test_sizes_are_checked(stated, says):
    with pytest.raises(InputError, match=says):
        replace(boxed(1)[0], periodic=(stated,))


def test_one_feature_has_one_period():
    data = boxed(1)[0]
    with pytest.raises(InputError, match="'x' is stated twice, as an angle and as a periodic position"):
        replace(data, angles=("x",))
    with pytest.raises(InputError, match="'x' is stated twice; give one size"):
        replace(data, periodic=("x:3", "x:4"))


def test_settings_that_see_places_are_refused(few):
    with pytest.raises(InputError, match="setting proposal: it does not work with periodic positions"):
        RelationalInference(**SHORT, search="paper", proposal="learned").fit(replace(few, mask=None))


def test_a_box_is_mirrored_and_turned(few):
    RelationalInference(**SHORT, mirror=True).fit(few)
    oblong = replace(few, periodic=("x:3", "y:4"))
    RelationalInference(**SHORT, mirror=True).fit(oblong)


def test_edges_are_found_where_particles_wrap():
    """If positions are treated as plain numbers, forces over the wall look like noise."""
    data, new = boxed(60)[0], boxed(24, seed=9)[0]
    accuracy = {}
    for periodic in (BOX, ()):
        model = RelationalInference(epochs=40, threads=1).fit(replace(data, periodic=periodic))
        accuracy[periodic] = evaluate(model.model_, replace(new, periodic=periodic), 30).numbers["edge_accuracy"]
    assert accuracy[BOX] > accuracy[()] + 0.1, accuracy
