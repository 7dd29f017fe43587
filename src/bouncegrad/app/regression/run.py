"""The folder of a run on regression tasks: config.yaml, metrics.jsonl, and modules.pt and errors.json when it is done.

A run that is not done has a checkpoint.pt instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
import yaml
from jaxtyping import Int
from torch import Tensor

from bouncegrad.app.plain import load_plain
from bouncegrad.app.regression.building import build_modules, build_tasks
from bouncegrad.app.regression.settings import RegressionConfig
from bouncegrad.app.regression.training import Errors, Trained, Training, measured
from bouncegrad.app.run import Run
from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.points import RegressionBatch, every_task
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing

MODULES, CHECKPOINT = "modules.pt", "checkpoint.pt"
DAMAGE = (OSError, EOFError, LookupError, RuntimeError, TypeError, ValueError, UnpicklingError, yaml.YAMLError)


def begin(folder: Path, config: RegressionConfig) -> Training:
    """A run from the start; writes its settings as resolved, and from here on it can be resumed.

    Raises:
        InputError: the folder holds something already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose another --out, or go on with --resume")
    training = Training(config)
    with replacing(folder / "config.yaml") as path:
        path.write_text(yaml.safe_dump(training.config.to_mapping(), sort_keys=False))
    pause(training, folder)
    return training


def again(folder: Path, config: RegressionConfig) -> Training:
    """A run that was stopped, with its own settings; rows of metrics after its checkpoint are cut.

    Raises:
        InputError: the folder holds no stopped run, or one with other settings.
    """
    if not (folder / CHECKPOINT).is_file():
        raise InputError(f"{folder}: holds no run that was stopped; leave out --resume")
    with consistent(folder):
        training = Training(settings_of(folder))
        training.load_state_dict(torch.load(folder / CHECKPOINT, weights_only=True, map_location="cpu"))
    if config.resolve() != training.config:
        raise InputError(f"{folder}: was begun with other settings; give the same ones again, or choose another --out")
    # With steps still to be summed up, the row of this very pass is yet to be written.
    Run(folder).cut_rows(training.epoch + (training.counts.visits == 0))
    return training


def pause(training: Training, folder: Path) -> None:
    """Writes the checkpoint that `again` goes on from."""
    with replacing(folder / CHECKPOINT) as path:
        torch.save(training.state_dict(), path)


def save(done: Trained, folder: Path) -> None:
    """Writes modules and structures, and the four errors; the run is done.

    Raises:
        InputError: the folder cannot be written.
    """
    with replacing(folder / MODULES) as path:
        torch.save({"modules": done.modules.state_dict(), "z": [done.z_training, done.z_new]}, path)
    with replacing(folder / "errors.json") as path:
        about = {"meta_steps": done.meta_steps, "seconds": done.seconds}
        path.write_text(json.dumps(numbers(done.errors, done.config) | about))
    (folder / CHECKPOINT).unlink(missing_ok=True)


class Done(NamedTuple):
    """A run that is done: settings as resolved, modules; visits to all training and all new tasks, their structures."""

    config: RegressionConfig
    modules: FunctionComposition
    visits: tuple[RegressionBatch, RegressionBatch]
    z: tuple[Int[Tensor, "M S"], Int[Tensor, "M_new S"]]


def evaluate(folder: Path, inner_steps: int | None = None) -> dict[str, Any]:
    """The four errors, measured anew from what is in the folder.

    Args:
        folder: of a run that is done.
        inner_steps: gradient steps of each task on its fitted points; 0 adapts nothing, None as the run has it.
    """
    with consistent(folder):
        done = opened(folder)
        config = done.config if inner_steps is None else replace(done.config, test_inner_steps=inner_steps)
        return numbers(measured(*done._replace(config=config)), config)


def opened(folder: Path) -> Done:
    """What is in the folder.

    Args:
        folder: of a run that is done.

    Raises:
        InputError: the run is not done, or a file is missing or damaged.
    """
    if (folder / CHECKPOINT).exists():
        raise InputError(f"{folder}: was stopped before its end; go on with bouncegrad train --resume")
    with consistent(folder):
        config = settings_of(folder)
        training, new = build_tasks(config)
        modules = build_modules(config, training.x.shape[2], training.y.shape[2], torch.Generator())
        saved = torch.load(folder / MODULES, weights_only=True, map_location="cpu")
        modules.load_state_dict(saved["modules"])
        z_training, z_new = saved["z"]
        return Done(config, modules, (every_task(training), every_task(new)), (z_training, z_new))


def settings_of(folder: Path) -> RegressionConfig:
    """The settings of the run, as resolved."""
    path = folder / "config.yaml"
    return RegressionConfig.from_mapping(load_plain(path.read_text()), str(path))


@contextmanager
def consistent(folder: Path) -> Iterator[None]:
    """Files that are missing, damaged or do not fit each other are the user's error, not a bug."""
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{folder}: its files are damaged or do not fit; restore them or train anew") from error


def numbers(errors: Errors, config: RegressionConfig) -> dict[str, Any]:
    """By name, as they are printed and stored, with the inner steps that they were measured after."""
    named = {f"mse_{name}": error for name, error in errors._asdict().items()}
    return named | {"inner_steps": config.test_inner_steps}
