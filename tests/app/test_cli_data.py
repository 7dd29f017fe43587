"""`bouncegrad simulate` and `bouncegrad inspect`."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from bouncegrad.data.formats import load, save
from bouncegrad.data.inspection import inspect
from bouncegrad.data.simulate import simulate
from bouncegrad.results.baselines import edge_baselines

from ..refusals import snapshot


@pytest.mark.parametrize(
    ("system", "options", "settings"),
    [
        ("springs", [], {}),
        ("springs", ["--directed", "--noise", "0.1", "--seed", "7"], {"directed": True, "noise": 0.1, "seed": 7}),
        ("charged", ["--entities", "3", "--frames", "5"], {"entities": 3, "frames": 5}),
        ("kuramoto", ["--threads", "1"], {"threads": 1}),
        (
            "diffusion",
            ["--graph", "er", "--density", "0.3", "--shared"],
            {"graph": "er", "density": 0.3, "shared": True},
        ),
        ("netsims", ["--graph", "ws", "--directed"], {"graph": "ws", "directed": True}),
    ],
)
def test_simulate_writes_what_the_library_makes(command, tmp_path, system, options, settings):
    path = tmp_path / "new" / "a.npz"
    found = command("simulate", system, "--tasks", "3", *options, "--out", path)
    made = simulate(system, 3, **settings)
    assert found == (0, f"{path}: {made.summary()}\n", "")
    read = load(path)
    assert np.array_equal(read.x, made.x)
    assert np.array_equal(read.edges, made.edges)
    assert (read.features, read.dt) == (made.features, made.dt)


def test_simulate_writes_a_table_with_its_edges(command, tmp_path):
    assert command("simulate", "springs", "--tasks", 2, "--frames", 4, "--out", tmp_path / "a.csv").status == 0
    made = simulate("springs", 2, frames=4)
    read = load(tmp_path / "a.csv")
    assert np.array_equal(read.x, made.x)
    assert np.array_equal(read.edges, made.edges)


@pytest.mark.parametrize("name", ["a.npz", "a.csv"])
def test_simulate_replaces_a_file_only_with_force(command, tmp_path, name):
    line = ["simulate", "springs", "--tasks", 2, "--frames", 4, "--out", tmp_path / name]
    assert command(*line).status == 0
    before = snapshot(tmp_path)
    assert command(*line, "--seed", 1).status == 2
    assert snapshot(tmp_path) == before
    assert command(*line, "--seed", 1, "--force").status == 0
    assert np.array_equal(load(tmp_path / name).x, simulate("springs", 2, frames=4, seed=1).x)


def test_simulate_leaves_a_table_of_edges_alone(command, tmp_path):
    (tmp_path / "a_edges.csv").write_text("mine\n")
    found = command("simulate", "springs", "--tasks", 2, "--out", tmp_path / "a.csv")
    assert found.status == 2
    assert "a_edges.csv: exists already" in found.err
    assert list(snapshot(tmp_path).values()) == [b"mine\n"]


@pytest.mark.parametrize("name", ["springs.npz", "named.csv"])
def test_inspect_prints_what_the_library_finds(command, work, name):
    expected = inspect(load(name), format=name[-3:])
    found = command("inspect", name)
    assert found == (0, "\n".join(expected.lines()) + "\n", "")
    machine = command("inspect", name, "--json")
    assert (machine.status, machine.err) == (0, "")
    assert machine.out.count("\n") == 1
    assert json.loads(machine.out) == json.loads(json.dumps(asdict(expected)))


def test_inspect_reads_what_training_would_refuse(command, work, springs):
    x = springs.x.copy()
    x[3, 4, 1, 2] = np.inf
    np.save("inf.npy", x)
    found = command("inspect", "inf.npy")
    assert found.status == 0
    assert "first at task 3, frame 4, entity 1, feature vx" in found.out


def test_inspect_measures_simple_scores_if_asked(command, work, springs):
    found = command("inspect", "springs.npz", "--baselines")
    plain = command("inspect", "springs.npz")
    assert found.out.startswith(plain.out)
    table = json.loads(command("inspect", "springs.npz", "--baselines", "--json").out)["baselines"]
    assert table == edge_baselines(springs, 30, 2)
    rows = [line for line in found.out.splitlines() if line.startswith("least squares per task")]
    assert float(rows[0].split()[4]) == pytest.approx(table["least_squares"]["edge_accuracy"], abs=1e-4)
    assert "baselines" not in json.loads(command("inspect", "springs.npz", "--json").out)


def test_inspect_pools_recordings_of_one_graph(command, work, springs):
    same = springs.select(range(6))
    save(replace(same, edges=np.repeat(same.edges[:1], 6, 0)), "same.npz")
    assert "pooled AUROC" in command("inspect", "same.npz", "--baselines").out
    assert "pooled" not in command("inspect", "springs.npz", "--baselines").out


def test_inspect_measures_no_accuracy_without_the_truth(command, work, springs):
    np.save("bare.npy", springs.x)
    out = command("inspect", "bare.npy", "--baselines").out
    assert "the true edges are not known (give them with --edges)" in out
    assert "AUROC" not in out
    x = springs.x.copy()
    x[3, 4, 1, 2] = np.inf
    np.save("inf.npy", x)
    found = command("inspect", "inf.npy", "--baselines")
    assert (found.status, found.out) == (2, "")
    assert "inf at task 3, frame 4, entity 1, feature vx" in found.err


def test_inspect_names_all_parts(command, tmp_path, springs):
    save(springs.select(range(10)), tmp_path, "train", format="kipf")
    save(springs.select(range(10, 14)), tmp_path, "test", format="kipf")
    found = command("inspect", tmp_path).out
    assert "part train" in found
    assert "part test" in found
    assert found.startswith("10 tasks")
    assert command("inspect", tmp_path, "--part", "test").out.startswith("4 tasks")


def test_inspect_takes_velocities_time_steps_and_edges(command, work, springs):
    np.savez("bare.npz", x=springs.x[..., :2], features=["x", "y"])
    (work / "e.csv").write_text("task,source,target,type\n0,0,1,1\n")
    line = ["inspect", "bare.npz", "--velocities", "--time-step", "0.5", "--edges", "e.csv", "--json"]
    found = json.loads(command(*line).out)
    assert "4 features (x, y, vx, vy), truth for 6 edges" in found["summary"]
    assert dict(found["facts"])["dt"].startswith("0.5 ")
