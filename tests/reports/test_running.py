"""Users' reports about running: devices, networks, memory, steps that diverge, names of numbers, seeds."""

from __future__ import annotations

import gc
import json
import resource
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bouncegrad.app.cli import main
from bouncegrad.core import inference
from bouncegrad.core.adaptation import Adapted
from bouncegrad.core.points import Points, RegressionBatch
from bouncegrad.data.regression import RegressionTasks
from bouncegrad.data.simulate import particles, simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.regression.training import train
from bouncegrad.settings import memory

from .conftest import QUICK

SHORT = ["--meta_steps", 50, "--search_steps", 5, "--tasks", 40, "--hidden", "[8-8]"]


def test_simulations_run_as_machine_code():
    """Users reported a simulation that took hours."""
    assert simulate("springs", 500, seed=0).shape == (500, 49, 5, 4)
    start, out = simulate("springs", 1, frames=2, seed=0).x[:, 0], np.empty((1, 49, 5, 4))

    def seconds(follow: Callable[..., None]) -> float:
        begin = time.process_time()
        follow(start, np.ones((1, 5, 5)), False, out)
        return time.process_time() - begin

    compiled, interpreted = particles.follow, particles.follow.py_func
    assert seconds(compiled) < seconds(interpreted) / 10  # measured: a four-hundredth


def test_nothing_needs_a_network(command, here, monkeypatch):
    """Users reported dead links to data; no command may need a network."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert command("simulate", "springs", "--tasks", 6, "--out", "tracks.npz").status == 0
    assert command("train", "--data", "tracks.npz", "--out", "run", "--epochs", 2, "--threads", 1).status == 0
    assert command("infer", "run", "tracks.npz", "--out", "result").status == 0
    assert command("report", "run").status == 0


def on_gpu(path: Path) -> None:
    """Rewrites a checkpoint as if its numbers had been saved from the second GPU."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = [name for name in parts if name.endswith("/data.pkl")]
    place, other = (b"X" + len(word).to_bytes(4, "little") + word for word in (b"cpu", b"cuda:1"))
    assert place in parts[pickled]
    parts[pickled] = parts[pickled].replace(place, other)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_a_checkpoint_saved_on_a_gpu_is_read_without_one(command, here):
    """Users reported that models saved on a GPU could not be loaded without one."""
    assert command("simulate", "springs", "--tasks", 6, "--out", "tracks.npz").status == 0
    assert command("train", "--data", "tracks.npz", "--out", "run", "--epochs", 2, "--threads", 1).status == 0
    assert command("infer", "run", "tracks.npz", "--out", "before").status == 0
    on_gpu(Path("run/checkpoint.pt"))
    assert command("infer", "run", "tracks.npz", "--out", "after").status == 0
    assert Path("before/edges.csv").read_bytes() == Path("after/edges.csv").read_bytes()
    assert command("train", "--preset", "functions-bouncegrad", "--out", "r", *SHORT).status == 0
    on_gpu(Path("r/modules.pt"))
    assert command("evaluate", "r").status == 0


def test_sum_chain_and_graph_are_trained_and_evaluated_by_the_same_commands(command, here):
    """The authors of the original code state that its newer part no longer runs the older compositions."""
    assert command("simulate", "springs", "--tasks", 6, "--out", "tracks.npz").status == 0
    graph = ["train", "--data", "tracks.npz", "--out", "graph", "--epochs", 50, "--threads", 1]
    assert command(*graph).status == 0
    assert json.loads(command("evaluate", "graph", "tracks.npz", "--json").out)
    for kind in ("sum", "chain"):
        words = ["train", "--preset", "functions-bouncegrad", "--composition", kind, "--out", kind]
        assert command(*words, *SHORT).status == 0
        assert json.loads(command("evaluate", kind, "--json").out)
    files = [{path.name for path in Path(kind).iterdir()} for kind in ("sum", "chain", "graph")]
    assert files[0] == files[1]
    assert all("config.yaml" in names for names in files)


def test_the_figure_to_report_is_named_and_recomputed_from_the_saved_modules(command, here):
    """Users reported that they had read the error of the wrong part of the data."""
    trained = command("train", "--preset", "functions-moma", "--out", "r", *SHORT)
    stored = json.loads(Path("r/errors.json").read_text())
    evaluated = json.loads(command("evaluate", "r", "--json").out)
    for tasks in ("training", "new"):
        for points in ("fitted", "held_out"):
            assert evaluated[f"mse_{tasks}_{points}"] == pytest.approx(stored[f"mse_{tasks}_{points}"], abs=1e-5)
    assert f"to report: new tasks, held-out points: {stored['mse_new_held_out']:.4g}" in trained.out


def test_inner_steps_at_test_are_chosen_and_written(command, here):
    """Users reported that the number of inner steps differed between training and test."""
    words = ["--preset", "sines-maml", "--inner_steps", 5, "--out", "r"]
    assert command("train", *words, "--meta_steps", 20, "--tasks", 40).status == 0
    assert json.loads(Path("r/errors.json").read_text())["inner_steps"] == 5
    found = {n: json.loads(command("evaluate", "r", "--inner_steps", n, "--json").out) for n in (0, 1, 5, 20)}
    assert {n: numbers["inner_steps"] for n, numbers in found.items()} == {n: n for n in found}
    assert len({numbers["mse_new_held_out"] for numbers in found.values()}) == 4
    assert found[5] == json.loads(command("evaluate", "r", "--json").out)
    refused = command("evaluate", "r", "--inner_steps", -1)
    assert (refused.status, refused.err.count("\n")) == (2, 1)


def test_more_than_fits_into_memory_is_refused_with_its_size_before_work_starts(command, here, monkeypatch, run4):
    """Users reported that memory was not enough for many entities."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e9)
    walks = np.random.default_rng(0).normal(size=(64, 6, 100, 4)).cumsum(1)
    np.savez("many.npz", x=walks, features=["x", "y", "vx", "vy"])
    np.savez("large.npz", x=walks[:1].repeat(10, 1).repeat(4, 2), features=["x", "y", "vx", "vy"])
    found = command("train", "--data", "many.npz", "--out", "run", "--holdout", 0, "--minutes", 1)
    assert (found.status, found.err.count("\n")) == (2, 1)
    assert "64 tasks at once with 9,900 pairs each takes about 4.3 GB, 1.0 GB are free; give fewer pairs" in found.err
    found = command("infer", run4, "large.npz", "--out", "result")
    assert "inference from 60 frames with 159,600 pairs takes about 1.8 GB, 1.0 GB are free" in found.err
    assert not {"run", "result"} & {path.name for path in here.iterdir()}


def test_400_entities_with_8_candidates_each():
    """Users asked for hundreds of entities, for which all pairs are too many."""
    tasks = simulate("springs", 4, entities=9, frames=10, seed=0)
    model = RelationalInference(seed=0, candidates=8, **QUICK).fit(tasks)
    walks = np.random.default_rng(0).normal(size=(1, 10, 400, 4)).cumsum(1)
    result = model.infer(walks)
    assert (result.probability[0] > 0).any(-1).sum() == 400 * 399
    assert (result.edges[0] > 0).sum() <= 400 * 8


@pytest.mark.slow
def test_memory_grows_no_faster_than_the_number_of_pairs(monkeypatch):
    """Users reported that memory was not enough for many entities."""
    few = inference.InferenceEffort(cooling_sweeps=1, averaged_sweeps=1)  # more sweeps take more time, not more memory
    monkeypatch.setattr(inference, "EFFORT", few)
    tasks = simulate("springs", 4, entities=4, frames=20, seed=0)
    model = RelationalInference(seed=0, epochs=1, threads=1).fit(tasks)
    for n in (25, 50, 100):
        model.infer(np.random.default_rng(0).normal(size=(1, 50, n, 4)).cumsum(1))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2e6  # kilobytes


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("learning", [True, False], ids=["training", "evaluation"])
def test_memory_and_tensors_stay_as_many(learning):
    """Users reported memory that grows from step to step, in training and in evaluation."""
    rng = np.random.default_rng(0)
    points = [Points(*(torch.tensor(rng.normal(size=(30, 10, 2))).float() for _ in "xy")) for _ in range(2)]
    batch, z = RegressionBatch(torch.arange(30), *points), torch.zeros(30, 2, dtype=torch.long)
    from tests.core.functions import small

    composition = small("sum")
    adapted = Adapted(composition, 1, 0.05)
    optimizer, marks = torch.optim.Adam(composition.parameters()), []
    for step in range(200):
        with torch.set_grad_enabled(learning):
            loss = adapted.loss(batch, z).mean()
        if learning:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step in (50, 199):
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            alive = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())
            marks.append((pages * resource.getpagesize() / 2**20, alive))
    assert marks[1][0] - marks[0][0] < 20
    assert marks[1][1] == marks[0][1]


def test_no_gradient_one_point_and_a_feature_that_stays_are_all_finite():
    """Users reported losses that became NaN."""
    same = np.zeros((20, 4, 1))
    flat = RegressionTasks(same, same, 2, tuple(map(str, range(20))))
    maml = {"data": "sines", "algorithm": "maml", "meta_steps": 5, "hidden": ("8",), "inner_steps": 2}
    assert all(np.isfinite(train(RegressionConfig(**maml), flat.split(0.25, 0)).errors))
    rng = np.random.default_rng(0)
    one = RegressionTasks(rng.normal(size=(20, 2, 1)), rng.normal(size=(20, 2, 1)), 1, flat.names)
    assert all(np.isfinite(train(RegressionConfig(**maml), one.split(0.25, 0)).errors))
    tracks = simulate("springs", 6, entities=3, frames=12, seed=0).x
    tracks[..., 3] = 1.5
    model = RelationalInference(seed=0, **QUICK).fit(tracks)
    assert all(np.isfinite(row["loss"]) for row in model.history_)
    assert np.isfinite(model.predict(tracks, steps=3)).all()


def test_the_same_seed_gives_the_same_files(here, capsys):
    """Users asked for a seed that makes a search repeatable."""
    assert main(["simulate", "springs", "--tasks", "8", "--seed", "0", "--out", "tracks.npz"]) == 0
    made = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        words = ["train", "--data", "tracks.npz", "--out", name, "--epochs", "2", "--threads", "1", "--seed", str(seed)]
        assert main(words) == 0
        assert main(["infer", name, "tracks.npz", "--out", f"{name}_result"]) == 0
        made[name] = Path(f"{name}_result/edges.csv").read_bytes()
    assert made["a"] == made["b"] != made["c"]
