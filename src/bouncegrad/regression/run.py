"""The folder of a run on regression tasks.

config.yaml      settings, resolved
metrics.jsonl    one row of metrics per line
checkpoint.pt    the state of training; only while the run is not done
modules.pt       modules and structures; only when the run is done
errors.json      the four errors; only when the run is done
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.points import RegressionBatch, every_task
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.regression.building import build_modules, build_tasks
from bouncegrad.regression.settings import RegressionConfig, Resolved
from bouncegrad.regression.training import Errors, Trained, Training, measured
from bouncegrad.runs.consistency import consistent
from bouncegrad.runs.folder import HEADING, Run, require_format
from bouncegrad.settings.safe_yaml import load_plain

MODULES, CHECKPOINT, ERRORS = "modules.pt", "checkpoint.pt", "errors.json"
FORMAT = 1


def begin(folder: Path, config: RegressionConfig) -> Training:
    """Begins a run: writes its resolved settings and a first checkpoint, so that it can be resumed at any time.

    Raises:
        InputError: the folder is not empty, or cannot be written.
    """
    Run(folder).require_free()
    training = Training(config)
    with replacing(folder / "config.yaml") as path:
        path.write_text(f"{HEADING}{FORMAT}\n" + yaml.safe_dump(training.config.to_mapping(), sort_keys=False))
    pause(training, folder)
    return training


def again(folder: Path, config: RegressionConfig) -> Training:
    """Resumes a run that was stopped, from its checkpoint; removes the rows of metrics that were written after it.

    Raises:
        InputError: the folder holds no stopped run, or the run has other settings.
    """
    if Run(folder).killed_early:
        raise InputError(f"{folder}: training was killed before it began; leave --resume out to begin")
    if not (folder / CHECKPOINT).is_file():
        raise InputError(f"{folder}: holds no run that was stopped; leave out --resume")
    with consistent(folder):
        training = Training(settings_of(folder))
        require_settings(training.config, config, folder)
        state = read_torch(folder / CHECKPOINT)
        require_format(state.get("format", FORMAT), FORMAT, folder / CHECKPOINT)
        training.load_state_dict(state)
    # If counts remain, this epoch's row is not written yet.
    Run(folder).cut_rows(training.epoch + (training.counts.visits == 0))
    return training


def is_done(folder: Path, config: RegressionConfig) -> bool:
    """Whether the folder holds a run with these settings that is done.

    Raises:
        InputError: it holds a run that is done, with other settings.
    """
    if (folder / CHECKPOINT).exists() or not (folder / ERRORS).exists():
        return False
    with consistent(folder):
        require_settings(settings_of(folder), config, folder)
    return True


def require_settings(begun: Resolved, given: RegressionConfig, folder: Path) -> None:
    """Refuses other settings than those that the run was begun with.

    Raises:
        InputError: a setting differs.
    """
    if given.resolve() != begun:
        raise InputError(f"{folder}: was begun with other settings; give the same ones again, or choose another --out")


def pause(training: Training, folder: Path) -> None:
    """Writes a checkpoint, from which `again` resumes the run."""
    write_torch({"format": FORMAT} | training.state_dict(), folder / CHECKPOINT)


def save(done: Trained, folder: Path) -> None:
    """Writes modules, structures and the four errors, and removes the checkpoint: the run is done.

    Raises:
        InputError: the folder cannot be written.
    """
    found = {"modules": done.modules.state_dict(), "z": [done.z_training, done.z_new]}
    write_torch({"format": FORMAT} | found, folder / MODULES)
    with replacing(folder / ERRORS) as path:
        about = {"format": FORMAT, "meta_steps": done.meta_steps, "seconds": done.seconds}
        path.write_text(json.dumps(numbers(done.errors, done.config) | about))
    (folder / CHECKPOINT).unlink(missing_ok=True)


class Done(NamedTuple):
    """A run that is done: its resolved settings and modules.

    `visits` are those to all training tasks and to all new tasks, `z` the structures of both.
    """

    config: Resolved
    modules: FunctionComposition
    visits: tuple[RegressionBatch, RegressionBatch]
    z: tuple[Int[Tensor, "M S"], Int[Tensor, "M_new S"]]


def evaluate(folder: Path, inner_steps: int | None = None) -> dict[str, Any]:
    """Measures the four errors again, with the modules and structures in the folder.

    Args:
        folder: of a run that is done.
        inner_steps: gradient steps of each task on its fitted points; 0 adapts nothing; None: as many as in the run.

    Raises:
        InputError: the run is not done, or a file is missing or damaged.
    """
    with consistent(folder):
        done = opened(folder)
        config = done.config if inner_steps is None else replace(done.config, test_inner_steps=inner_steps)
        return numbers(measured(*done._replace(config=config)), config)


def opened(folder: Path) -> Done:
    """Reads a run that is done from its folder.

    Raises:
        InputError: the run is not done, or a file is missing or damaged.
    """
    if (folder / CHECKPOINT).exists():
        raise InputError(f"{folder}: was stopped before its end; go on with bouncegrad train --resume")
    with consistent(folder):
        config = settings_of(folder)
        training, new = build_tasks(config)
        modules = build_modules(config, training.x.shape[2], training.y.shape[2], torch.Generator())
        saved = read_torch(folder / MODULES)
        require_format(saved.get("format", FORMAT), FORMAT, folder / MODULES)
        modules.load_state_dict(saved["modules"])
        z_training, z_new = saved["z"]
        return Done(config, modules, (every_task(training), every_task(new)), (z_training, z_new))


def settings_of(folder: Path) -> Resolved:
    """Returns the resolved settings of the run."""
    path = folder / "config.yaml"
    return RegressionConfig.from_mapping(load_plain(path.read_text()), str(path)).resolve()


def numbers(errors: Errors, config: Resolved) -> dict[str, Any]:
    """Returns the errors by the names under which they are printed and stored, with the number of inner steps."""
    named = {f"mse_{name}": error for name, error in errors._asdict().items()}
    return named | {"inner_steps": config.test_inner_steps}
