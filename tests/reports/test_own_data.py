"""Users' reports about their own data: counts, names, categories, clips, arrays of any kind."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bouncegrad
from bouncegrad.app.cli import COMMANDS
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.inspection import inspect
from bouncegrad.data.regression import RegressionTasks
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.regression.training import train

from .conftest import QUICK, fixture_path


def test_entities_are_counted_in_the_data_and_a_contradiction_names_both_counts(springs4):
    """Users reported that the number of entities had to be given under a word that the paper does not use."""
    assert springs4.shape[2] == 4
    with pytest.raises(InputError, match=r"5.* 4|4.* 5"):
        replace(springs4, entities=tuple("abcde"))


def test_help_has_one_word_for_an_entity(command):
    """Users reported an option for the number of entities under a word that the paper does not use."""
    text = " ".join(command(name, "--help").out for name in COMMANDS).lower()
    for word in ("atom", "ball", "balls", "agent", "agents", "vertex", "num_nodes"):
        assert word not in text.replace("[", " ").split(), word
    assert "entities" in text


def test_oscillators_without_a_pair_of_position_and_velocity():
    """Users asked for data of coupled oscillators, which have no pair of position and velocity."""
    data = load(fixture_path("kuramoto5.npz"))
    assert data.shape == (48, 50, 5, 3)
    named = replace(data, features=("phase_rate", "sin_phase", "frequency"))
    model = RelationalInference(seed=0, **QUICK).fit(named)
    assert np.isfinite(model.predict(named, steps=3)).all()
    with pytest.raises(InputError, match="velocities come from the features x, y, z"):
        load(fixture_path("kuramoto5.npz"), velocities=True)


def test_a_data_set_without_edges_needs_no_placeholder(command, here, springs4):
    """Users asked whether they must invent edges for recordings without a known truth."""
    save(springs4.without_edges(), "mine.npz")
    save(springs4, "labelled.npz")
    settings = ["--epochs", 3, "--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    trained = command("train", "--data", "mine.npz", "--out", "run", *settings)
    assert "edge accuracy not available, no truth" in trained.out
    evaluated = command("evaluate", "run", "mine.npz")
    assert "not available" in evaluated.out
    assert "nan" not in evaluated.out.lower()
    assert command("train", "--data", "labelled.npz", "--out", "other", *settings).status == 0
    for run in ("run", "other"):
        assert command("infer", run, "mine.npz", "--out", f"{run}_result").status == 0
    assert Path("run_result/edges.csv").read_bytes() == Path("other_result/edges.csv").read_bytes()


def test_clips_that_overlap_are_reported_and_a_feature_of_the_ball_alone_is_named(here):
    """Users asked about tracking files of basketball: clips may overlap, and the ball has a height."""
    game = np.random.default_rng(0).normal(size=(1, 80, 11, 2)).cumsum(1)
    clips = np.concatenate([game[:, :50], game[:, 30:]])
    clips = Trajectories(clips, features=("x", "y"))
    assert any("remove copies and overlapping clips" in line for line in inspect(clips).warnings)
    columns = ["time", "p1_x", "p1_y", "ball_x", "ball_y", "ball_z"]
    rows = np.random.default_rng(0).normal(size=(20, 5)).cumsum(0)
    lines = [",".join(map(str, [t, *row])) for t, row in enumerate(rows)]
    Path("game.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")
    with pytest.raises(InputError, match="entity p1 has no column for the feature z"):
        load("game.csv")


def test_no_file_of_the_package_is_changed_by_use(model4, run4, springs4, command, here):
    """Users reported that their own data needed a change of the source code."""

    def checksums() -> dict[str, str]:
        files = [path for path in Path(bouncegrad.__file__).parent.rglob("*") if path.suffix in (".py", ".yaml")]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = checksums()
    RelationalInference(seed=0, **QUICK).fit(springs4.x[:4])
    save(springs4, "mine.csv")
    assert command("infer", run4, "mine.csv", "--out", "result").status == 0
    assert checksums() == before


def levels(codes: list[int], seed: int = 0) -> np.ndarray:
    """Four entities that change among three levels."""
    drawn = np.random.default_rng(seed).integers(3, size=(6, 30, 4, 1))
    return np.array(codes, dtype=float)[drawn]


@pytest.mark.parametrize("codes", [[0, 1, 2], [2, 0, 1], [10, -3, 7]])
def test_codes_of_categories_are_refused_however_they_are_numbered(codes):
    """Users asked whether states may be discrete; codes of categories gave poor graphs."""
    data = Trajectories(levels(codes), features=("mood",))
    with pytest.raises(InputError, match=r"feature mood changes among .*; give one 0/1 feature for each, or, if they"):
        RelationalInference(seed=0, **QUICK).fit(data)
    assert any("--quantities [mood]" in line for line in inspect(data).warnings)


def test_a_feature_for_each_category_is_taken_and_so_is_a_count_that_is_stated_to_be_one():
    """Users asked whether states may be discrete: a 0/1 feature for each category, and counts, are accepted."""
    one_each = (levels([0, 1, 2]) == np.arange(3)).astype(float)
    RelationalInference(seed=0, **QUICK).fit(Trajectories(one_each, features=("calm", "alert", "angry")))
    counts = Trajectories(levels([0, 1, 2]), features=("passes",))
    RelationalInference(seed=0, quantities=["passes"], **QUICK).fit(counts)
    with pytest.raises(InputError, match="quantities: feature 'goals' is not in the data, which has passes"):
        RelationalInference(seed=0, quantities=["goals"], **QUICK).fit(counts)


def test_kinds_that_stay_and_coarse_positions_are_no_codes_that_change():
    """Users asked whether states may be discrete; constant kinds and rounded positions are not taken for codes."""
    rng = np.random.default_rng(0)
    place = np.clip(rng.integers(-1, 2, size=(6, 30, 4, 2)).cumsum(1), 0, 9).astype(float)
    kind = np.broadcast_to(np.array([0.0, 1, 2, 2])[:, None], (6, 30, 4, 1))
    data = Trajectories(np.concatenate([place, kind], -1), features=("x", "y", "kind"))
    RelationalInference(seed=0, **QUICK).fit(data)


def test_pairs_of_arrays_of_different_lengths_are_tasks():
    """Users reported that an ordinary data set could not be passed to the library."""
    rng = np.random.default_rng(0)
    xs = [rng.uniform(-1, 1, size=size) for size in range(12, 24)]
    pairs = [(x, x**2 if i % 2 else np.sin(x)) for i, x in enumerate(xs)]
    tasks = RegressionTasks.from_pairs(pairs, fitted=6, held_out=6)
    for (x, y), drawn_x, drawn_y in zip(pairs, tasks.x, tasks.y, strict=True):
        assert set(zip(drawn_x[:, 0], drawn_y[:, 0], strict=True)) <= set(zip(x, y, strict=True))
    done = train(RegressionConfig(meta_steps=5, hidden=("8",), search_steps=2), tasks.split(0.25, seed=0))
    assert all(np.isfinite(done.errors))
    with pytest.raises(InputError, match="task 3 has 15 inputs and 14 outputs"):
        RegressionTasks.from_pairs([*pairs[:3], (xs[3], xs[3][:-1])], fitted=6, held_out=6)
    with pytest.raises(InputError, match="task 0 has 12 points, 13 points are asked for"):
        RegressionTasks.from_pairs(pairs, fitted=6, held_out=7)
