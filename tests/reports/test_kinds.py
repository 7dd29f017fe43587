"""Users asked for kinds of entities: each kind has a node module of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad import RelationalInference
from bouncegrad.app.cli import main
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.model import Model


@pytest.fixture(scope="module")
def anchored() -> Trajectories:
    """Three bodies on springs to each other and to a fourth, which never moves."""
    rng = np.random.default_rng(0)
    x = np.zeros((60, 40, 4, 4))
    place, speed = rng.normal(size=(60, 4, 2)), 0.3 * rng.normal(size=(60, 4, 2))
    speed[:, 3] = 0
    for t in range(40):
        x[:, t] = np.concatenate([place, speed], -1)
        force = (place[:, None] - place[:, :, None]).sum(2)
        force[:, 3] = 0
        speed = speed + 0.05 * force
        place = place + 0.1 * speed
    return Trajectories(x, entities=("a", "b", "c", "wall"), kinds=("free", "free", "free", "fixed"))


@pytest.fixture(scope="module")
def fitted(anchored) -> RelationalInference:
    return RelationalInference(epochs=60, batch=15, seed=0).fit(anchored)


def test_the_fixed_one_stays_where_it_is(anchored, fitted):
    """Users reported wrong forecasts with one fixed body; here it moves less than 1 % of what the others move."""
    new = anchored.select(slice(0, 10)).frames(0, 20)
    ahead = fitted.predict(new, steps=10)
    moved = np.linalg.norm(ahead[:, -1, :, :2] - new.x[:, -1, :, :2], axis=-1).mean(0)
    assert moved[3] < 0.01 * moved[:3].mean()


def test_unmarked_it_runs_too(anchored):
    """Users reported wrong forecasts with one fixed body; training works without kinds, too."""
    model = RelationalInference(epochs=2).fit(replace(anchored, kinds=()))
    assert np.isfinite(model.infer(replace(anchored, kinds=())).loss).all()


def test_kinds_have_to_be_stated_and_known(anchored, fitted):
    with pytest.raises(InputError, match="no kinds of entities, in training there were fixed, free; give --kinds"):
        fitted.infer(replace(anchored, kinds=()))
    with pytest.raises(InputError, match="an entity of kind 'ball', in training there were fixed, free; train with"):
        fitted.infer(replace(anchored, kinds=("ball", "free", "free", "fixed")))
    fewer = Trajectories(anchored.x[:3, :, 1:], kinds=("free", "free", "fixed"))
    assert fitted.infer(fewer).edges.shape == (3, 3, 3)


def test_a_ball_among_players(tmp_path: Path, capsys):
    """Users asked about tracking files of basketball; here kinds come from a table, and each entity needs one."""
    rng = np.random.default_rng(1)
    names = [*(f"home {i}" for i in range(5)), *(f"away {i}" for i in range(5)), "ball"]
    data = Trajectories(rng.normal(size=(6, 12, 11, 2)).cumsum(1), features=("x", "y"), entities=tuple(names))
    save(data, tmp_path / "game.csv")
    kinds = ["entity,kind", *(f"{name},{name.split()[0]}" for name in names)]
    (tmp_path / "kinds.csv").write_text("\n".join(kinds) + "\n")
    words = ["--data", str(tmp_path / "game.csv"), "--kinds", str(tmp_path / "kinds.csv")]
    out = tmp_path / "run"
    assert main(["train", *words, "--epochs", "1", "--holdout", "0", "--out", str(out)]) == 0
    model = Model.load(out)
    assert model.composition.node.modules_count == 3
    assert model.composition.kinds == [0] * 5 + [1] + [2] * 5  # in natural order: away, ball, home
    assert main(["report", str(out)]) == 0
    assert "5 away, 1 ball, 5 home; each kind has its own node module" in (out / "report.html").read_text()
    (tmp_path / "kinds.csv").write_text("\n".join(kinds[:-1]) + "\n")
    assert main(["train", *words, "--epochs", "1", "--out", str(tmp_path / "again")]) == 2
    assert "no kind for 1 entity, first 'ball'; add a line for each" in capsys.readouterr().err


def test_kinds_are_kept_in_own_archives(anchored, tmp_path: Path):
    save(anchored, tmp_path / "a.npz")
    assert load(tmp_path / "a.npz").kinds == anchored.kinds
    with pytest.raises(InputError, match="3 kinds for 4 entities; give one each"):
        replace(anchored, kinds=("a", "b", "c"))
