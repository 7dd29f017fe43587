"""A graphics card gives the results of the CPU; without a card, asking for one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.structures import edge_index
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.stages import train
from bouncegrad.models.forecasts import predict
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.runs.folder import Run
from bouncegrad.settings.build import build
from bouncegrad.settings.config import Config
from bouncegrad.settings.devices import computing, device_named
from bouncegrad.settings.resolved import resolve

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "symmetric": {"symmetric": True},
    "entity types": {"entity_types": 2, "cooling": 20},
    "pinned": {"pinned": True},
    "blocks": {"edge_types": 8, "search": "heat-bath"},
    "joint draws": {"search": "joint-draws"},
    "lags": {"lags": 1, "lagged": ("x", "y")},
    "mirrored": {"mirror": True},
    "candidates": {"candidates": 2},
    "one graph": {"shared_graph": True},
    "windows": {"window": 7},
    "momentum": {"momentum": True, "relative": "everything"},
    "restarts": {"cooling": 5},
    "forecast": {"forecast": 0.5, "minutes": 0.05, "epochs": None},
    "paper, learned": {"search": "paper", "proposal": "learned", "steps": 2},
    "paper, both encoders": {"search": "paper", "proposal": "learned", "encoder": "both", "move": "flip", "steps": 2},
    "paper, cnn": {"search": "paper", "proposal": "learned", "encoder": "cnn", "steps": 2},
    "paper, residual": {"search": "paper", "annealer": "residual", "steps": 3},
}


@pytest.fixture(scope="module")
def springs():
    return simulate("springs", 40, entities=5, frames=20, seed=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_a_missing_graphics_card_is_refused(springs):
    with pytest.raises(InputError, match="PyTorch sees no graphics card; give cpu or auto"):
        RelationalInference(device="cuda", epochs=1).fit(springs)


def test_names_of_devices():
    assert device_named("cpu").type == "cpu"
    assert device_named("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(InputError, match="'gpu' is not known; choose auto, cpu, cuda"):
        device_named("gpu")


def test_the_default_device_is_restored_afterwards():
    with computing("auto", 1):
        pass
    assert torch.zeros(1).device.type == "cpu"


@cuda
def test_losses_equal_those_of_the_cpu(springs):
    found = []
    for device in ("cpu", "cuda"):
        config, scaling = resolve(Config(device=device), springs.shape), Scaling.fit(springs)
        with computing("cpu", 1):
            loop, batches = build(config, springs, scaling, edge_index(springs.shape[2]))
        with computing(device, 1) as where:
            graph = loop.composition.to(where).on(5, loop.composition.pairs.to(where))
            batch = whole_tracks(batches.tracks.to(where), torch.arange(40))
            columns = torch.arange(4).expand(5, 4)
            z = loop.z.to(where)
            losses = graph.loss(batch, z)
            losses.sum().backward()
            gradient = graph.edge.weights[0].grad
            found.append([x.detach().cpu() for x in (losses, graph.conditional_losses(batch, z, columns), gradient)])
    for cpu, card in zip(*found, strict=True):
        torch.testing.assert_close(card, cpu, rtol=2e-3, atol=1e-3)


@cuda
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_kind_of_run_trains_stops_and_resumes(springs, settings, tmp_path: Path):
    config = Config(**({"epochs": 4, "batch": 8, "device": "cuda"} | settings))
    model, _, _ = train(
        config, springs, Run(tmp_path / "run"), environment=Environment(stop=stopping_after(2)), new=springs
    )
    config = Run(tmp_path / "run").config()
    model, loop, rows = train(config, springs, Run(tmp_path / "run"), resume=True, new=springs)
    assert rows[-1]["progress"] == 1
    assert loop.z.device.type == "cpu"
    there = model.infer(springs)
    with computing("cuda", 1):
        again = Model.load(tmp_path / "run").infer(springs)
    assert np.isfinite(there.loss).all()
    np.testing.assert_allclose(again.loss, there.loss, rtol=1e-2, atol=1e-2)
    assert np.isfinite(predict(model, springs, 3)).all()


@cuda
def test_edges_of_springs_are_found(springs):
    data, new = simulate("springs", 300, seed=1), simulate("springs", 100, seed=2)
    model, _, rows = train(Config(epochs=300, device="cuda"), data)
    edges = model.infer(new).edges
    assert edge_accuracy(new.edges, edges, relabelling(new.edges, edges, 2)) > 0.99
    assert rows[-1]["edge_accuracy"] > 0.9


def stopping_after(passes: int):
    left = iter(range(passes))
    return lambda: next(left, None) is None
