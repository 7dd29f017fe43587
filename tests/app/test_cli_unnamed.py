"""Arrays without names of features: new recordings get the names of training."""

from __future__ import annotations

import numpy as np

from bouncegrad.data.simulate import simulate

from ..refusals import assert_refused

OPTIONS = ["--epochs", 1, "--threads", 1, "--edge_hidden", "[8]", "--node_hidden", "[8]"]
NAMES = "rate, sin_phase, frequency"


def test_new_recordings_get_the_names_that_training_was_given(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("all.npz", x=simulate("kuramoto", 6, entities=3, frames=12, seed=0).x)
    np.savez("four.npz", x=np.zeros((2, 12, 3, 4)))
    named = ["--columns", "features=[rate,sin_phase,frequency]"]
    assert command("train", "--data", "all.npz", *named, "--out", "run", *OPTIONS).status == 0
    line = f"all.npz: the file does not name its features, so they were taken for those of training, {NAMES}"
    for words in (
        ["infer", "run", "all.npz", "--out", "found"],
        ["evaluate", "run", "all.npz"],
        ["predict", "run", "all.npz", "--out", "future", "--steps", 3],
    ):
        found = command(*words)
        assert found.status == 0, found.err
        assert line in found.out
        assert line not in command(*words, *named).out
    assert_refused(command, ["infer", "run", "four.npz", "--out", "found"], f"differ from those of training, {NAMES}")
