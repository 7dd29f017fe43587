"""Distillation: an encoder learns from a model's answers, is kept in the run folder, and answers in one pass."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.structures import edge_index
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load
from bouncegrad.data.simulate import simulate
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.fitting.distillation import Distillation, Student, answers, distil
from bouncegrad.models.distilled import FILE, Distilled
from bouncegrad.models.model import Model
from bouncegrad.results.result import Result

from ..refusals import assert_refused

SHORT = Distillation(passes=2, hidden=8)


@pytest.fixture
def model(work) -> Model:
    return Model.load("run")


def weights(made: Distilled) -> torch.Tensor:
    return torch.cat([value.flatten() for value in made.encoder.parameters()])


def test_the_wanted_answers_are_those_of_the_model(model, springs) -> None:
    wanted = answers(model, springs, lambda share: None)
    found = model.infer(springs).probability
    for e, (s, t) in enumerate(edge_index(3).T.tolist()):
        np.testing.assert_allclose(wanted[:, e].numpy(), found[:, s, t], atol=1e-6)


def test_the_encoder_learns_what_the_model_answers(model) -> None:
    """On 60 recordings the encoder comes to name the model's types, far more often than by chance."""
    data = simulate("springs", 60, entities=3, frames=30, seed=1)
    made = distil(model, data, Distillation(passes=150, hidden=16, batch=20))
    wanted = answers(model, data, lambda share: None).argmax(-1)
    right = (made.probability(scaled_tracks(data, model.scaling)).argmax(-1) == wanted).float().mean()
    assert right > 0.8
    assert made.about["tasks"] + made.about["kept"] == 60


def test_true_edges_are_not_read_and_the_seed_gives_the_same_encoder(model, springs) -> None:
    one, two = distil(model, springs, SHORT), distil(model, springs.without_edges(), SHORT)
    assert torch.equal(weights(one), weights(two))
    other = distil(model, springs, Distillation(passes=2, hidden=8, seed=1))
    assert not torch.equal(weights(one), weights(other))


def test_it_is_kept_in_the_run_folder(model, springs) -> None:
    made = distil(model, springs, SHORT)
    made.save("run")
    found = Distilled.load(model, "run")
    assert torch.equal(weights(made), weights(found))
    assert found.about == made.about
    assert (found.infer(springs).probability == made.infer(springs).probability).all()


def test_files_of_other_runs_and_formats_are_refused(model, springs) -> None:
    path = distil(model, springs, SHORT).save("run")
    state = read_torch(path)
    write_torch(state | {"format": 2}, path)
    with pytest.raises(InputError, match=r"run/distilled.pt: has format 2, this version reads 1; make it again"):
        Distilled.load(model, "run")
    write_torch(state | {"hidden": 9}, path)
    with pytest.raises(InputError, match=r"run/distilled.pt: does not fit the run; make it again"):
        Distilled.load(model, "run")


def test_a_task_alone_gets_the_same_answer_and_later_frames_are_not_read(model, springs) -> None:
    made = distil(model, springs, SHORT)
    whole, alone = made.infer(springs, 12), made.infer(springs.select(slice(3, 4)).frames(0, 12))
    np.testing.assert_allclose(whole.probability[3], alone.probability[0], atol=1e-5)
    assert whole.loss[3] == pytest.approx(alone.loss[0], abs=1e-4)


@pytest.mark.parametrize("entities", [2, 5])
def test_it_answers_for_any_number_of_entities(model, springs, entities) -> None:
    made = distil(model, springs, SHORT)
    found = made.infer(simulate("springs", 4, entities=entities, frames=30, seed=2))
    assert found.probability.shape == (4, entities, entities, 2)


def test_the_loss_is_that_of_the_models_modules(model, springs) -> None:
    """Where encoder and model name the same edges, their losses are equal."""
    ours, theirs = distil(model, springs, Distillation(passes=60, hidden=16)).infer(springs), model.infer(springs)
    same = (ours.edges == theirs.edges).all((1, 2))
    assert same.any()
    np.testing.assert_allclose(ours.loss[same], theirs.loss[same], atol=1e-4)


def test_few_recordings_and_wrong_settings_are_refused(model, springs) -> None:
    with pytest.raises(InputError, match="12 recordings are too few to distil; give at least 20"):
        distil(model, springs.select(slice(12)))
    for wrong in ({"hidden": 0}, {"batch": 0}, {"passes": 0}, {"minutes": 0.0}, {"learning_rate": float("nan")}):
        with pytest.raises(InputError, match=f"setting {next(iter(wrong))}: .* cannot be used"):
            Distillation(**wrong)


def test_commands_distil_and_answer(command, work, springs) -> None:
    told = command("distil", "run", "springs.npz", "--passes", "2", "--hidden", "8")
    assert told.status == 0
    assert "wrote run/distilled.pt" in told.out
    found = command("infer", "run", "springs.npz", "--distilled", "--out", "answered", "--json")
    assert json.loads(found.out)["tasks"] == 24
    result = Result.load("answered/result.npz")
    wanted = Distilled.load(Model.load("run"), "run").infer(load("springs.npz"))
    assert (result.probability == wanted.probability).all()
    about = json.loads(command("distil", "run", "springs.npz", "--passes", "1", "--hidden", "8", "--json").out)
    assert about["files"] == ["run/distilled.pt"]


def test_wrong_use_of_the_commands_is_refused(command, work) -> None:
    infer = ["infer", "run", "springs.npz", "--out", "new", "--distilled"]
    assert_refused(command, infer, "run/distilled.pt: does not exist", "bouncegrad distil run DATA")
    assert_refused(command, [*infer, "--window", "5"], "option distilled", "--window")
    (work / "run" / FILE).write_bytes(b"PK broken")
    assert_refused(command, infer, "run/distilled.pt: is no encoder", "is damaged", "bouncegrad distil run DATA")
    assert_refused(command, ["distil", "run", "springs.npz", "--hidden", "0"], "setting hidden: 0 cannot be used")
    shutil.rmtree("run")
    assert_refused(command, ["distil", "run", "springs.npz"], "run")


def test_runs_that_the_encoder_cannot_answer_for_are_refused(command, work) -> None:
    train = ["train", "--data", "springs.npz", "--epochs", "1", "--threads", "1", "--out", "shared"]
    assert command(*train, "--shared_graph", "--variants", "none").status == 0
    assert_refused(command, ["distil", "shared", "springs.npz"], "setting shared_graph", "cannot be distilled")


@pytest.mark.parametrize(("given", "entities", "batch"), [(None, 3, 64), (None, 20, 8), (None, 8, 22), (5, 3, 5)])
def test_recordings_of_many_pairs_are_fewer_in_a_step(model, given, entities: int, batch: int) -> None:
    generator = torch.Generator().manual_seed(0)
    made = Distilled.new(model, 8, generator)
    made = replace(made, encoder=made.encoder.on(edge_index(entities)))
    assert Student(made, Distillation(batch=given), generator).batch == batch
