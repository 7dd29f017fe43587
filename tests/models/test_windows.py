"""Windows: each window has its own graph, from the command line and from Python, in training and in inference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bouncegrad import RelationalInference
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.stages import train
from bouncegrad.settings.config import Config

from ..refusals import assert_refused

CONFIG = Config(epochs=3, threads=1, window=8)


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 6, entities=3, frames=21, seed=0)


@pytest.fixture(scope="module")
def model(tasks):
    return train(CONFIG, tasks)[0]


def test_training_has_a_structure_for_each_window(tasks, model):
    _, loop, _ = train(CONFIG, tasks)
    assert loop.z.shape == (6 * 3, 6)
    assert model.frames == 9


def test_one_window_equals_no_window(tasks):
    learned = RelationalInference(epochs=3, threads=1).fit(tasks)
    whole, cut = learned.infer(tasks), learned.infer(tasks, window=20)
    np.testing.assert_allclose(whole.probability, cut.probability, atol=1e-9)
    assert cut.tasks[0] == "0, frames 0-20"


def test_known_edges_hold_in_all_windows(tasks):
    known = np.full((6, 3, 3), -1)
    known[:, 0, 1] = tasks.edges[:, 0, 1]
    edges = RelationalInference(epochs=3, threads=1).fit(tasks).infer(tasks, known=known, window=5).edges
    np.testing.assert_array_equal(edges[:, 0, 1], tasks.edges[:, 0, 1].repeat(4))


def test_the_command_writes_a_graph_for_each_window(command, work):
    found = command("infer", "run", "springs.npz", "--window", 10, "--out", "windows")
    assert found.status == 0
    assert "windows of 3 entities from 11 frames each" in found.out
    assert "edges stay from window to window with probability" in found.out
    names = pd.read_csv("windows/edges.csv").task.unique()
    assert list(names[:3]) == ["0, frames 0-10", "0, frames 10-20", "0, frames 20-29"]
    assert_refused(command, ["infer", "run", "springs.npz", "--window", 0, "--out", "new"], "option window: 0 frames")
    assert_refused(command, ["infer", "run", "springs.npz", "--window", 30, "--out", "new"], "has 30, give 1 to 29")
