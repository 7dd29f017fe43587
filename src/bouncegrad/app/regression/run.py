"""The folder of a run on regression tasks: config.yaml, modules.pt and errors.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml

from bouncegrad.app.regression.building import build_modules, build_tasks
from bouncegrad.app.regression.settings import RegressionConfig
from bouncegrad.app.regression.training import Errors, Trained, measured
from bouncegrad.core.points import every_task
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing


def require_empty(folder: Path) -> None:
    """Refuses a folder that holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose another --out")


def save(done: Trained, folder: Path) -> None:
    """Writes settings as resolved, modules and structures, and the four errors.

    Raises:
        InputError: the folder cannot be written.
    """
    with replacing(folder / "config.yaml") as path:
        path.write_text(yaml.safe_dump(done.config.to_mapping(), sort_keys=False))
    with replacing(folder / "modules.pt") as path:
        torch.save({"modules": done.modules.state_dict(), "z": [done.z_training, done.z_new]}, path)
    with replacing(folder / "errors.json") as path:
        path.write_text(json.dumps(numbers(done.errors) | {"meta_steps": done.meta_steps, "seconds": done.seconds}))


def evaluate(folder: Path) -> Errors:
    """The four errors, measured anew from what is in the folder.

    Raises:
        InputError: a file is missing or damaged.
    """
    try:
        settings = yaml.safe_load((folder / "config.yaml").read_text())
        config = RegressionConfig.from_mapping(settings, str(folder / "config.yaml"))
        training, new = build_tasks(config)
        modules = build_modules(config, training.x.shape[2], training.y.shape[2], torch.Generator())
        saved = torch.load(folder / "modules.pt", weights_only=True)
        modules.load_state_dict(saved["modules"])
        z_training, z_new = saved["z"]
        return measured(config, modules, (every_task(training), every_task(new)), (z_training, z_new))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{folder}: config.yaml and modules.pt are damaged or do not fit; restore them or train anew"
        ) from error


def numbers(errors: Errors) -> dict[str, Any]:
    """By name, as they are printed and stored."""
    return {f"mse_{name}": error for name, error in errors._asdict().items()}
