"""The run folder: config.yaml, data.json, metrics.jsonl and checkpoint.pt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import is_remains, remove_remains, replacing
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.runs.consistency import MISFIT, consistent
from bouncegrad.runs.lock import locked
from bouncegrad.runs.metrics_log import add_row, cut_rows, read_rows
from bouncegrad.runs.provenance import ABOUT, FORMAT, digest, is_reading, is_shape, require_same
from bouncegrad.settings.resolved import ResolvedConfig
from bouncegrad.settings.safe_yaml import load_plain

HEADING = "# settings of a run of bouncegrad, format "
BEGINNING = ("config.yaml", "data.json")  # files that are written before the first checkpoint


def is_beginning(path: Path) -> bool:
    """Whether this file of a run folder can exist before the first checkpoint."""
    return path.name in BEGINNING or is_remains(path)


def require_format(found: int, known: int, path: Path) -> None:
    """Refuses a file of another format than this version reads.

    Raises:
        InputError: says which is older, the file or this version.
    """
    if found > known:
        raise InputError(f"{path}: has format {found}, this version reads {known}; update bouncegrad")
    if found < known:
        raise InputError(f"{path}: has format {found} of an older version, this one reads {known}; train again")


class Run:
    """The folder of one training run, and the files in it.

    Args:
        folder: its path.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.checkpoint = self.folder / "checkpoint.pt"
        self.metrics = self.folder / "metrics.jsonl"

    def locked(self) -> AbstractContextManager[None]:
        """Returns a context in which no other process can train in the folder, see `lock.py`."""
        return locked(self.folder)

    def create(self, config: ResolvedConfig, about: dict[str, Any]) -> None:
        """Writes the resolved settings and the description of the data, see `describe`.

        Raises:
            InputError: the folder is not empty, or cannot be written.
        """
        self.require_free()
        with replacing(self.folder / "data.json") as path:
            path.write_text(json.dumps(about, indent=1))
        with replacing(self.folder / "config.yaml") as path:
            path.write_text(f"{HEADING}{FORMAT}\n{config.to_yaml()}")

    @property
    def killed_early(self) -> bool:
        """Whether the folder holds only files of a process that was killed before its first checkpoint."""
        found = list(self.folder.iterdir()) if self.folder.is_dir() else []
        return bool(found) and all(map(is_beginning, found))

    def require_free(self) -> None:
        """Refuses a folder that holds files, unless a process left them that was killed before its first checkpoint.

        Raises:
            InputError: the folder is not empty.
        """
        if not self.folder.exists():
            return
        if not self.folder.is_dir() or not (self.killed_early or not any(self.folder.iterdir())):
            raise InputError(f"{self.folder}: is not empty; choose another --out, or continue with --resume")
        remove_remains(self.folder)

    def config(self) -> ResolvedConfig:
        """Returns the resolved settings of the run.

        Raises:
            InputError: config.yaml is missing or damaged, or another version wrote it.
        """
        path = self._need("config.yaml")
        with path.open(encoding="utf-8", errors="replace") as file:
            stated = re.fullmatch(rf"{HEADING}(\d{{1,9}})\s*", file.readline(100))
        require_format(int(stated[1]) if stated else FORMAT, FORMAT, path)
        return ResolvedConfig.from_mapping(self._read("config.yaml", load_plain), str(self.folder / "config.yaml"))

    def about(self) -> dict[str, Any]:
        """Returns the description of the training data, see `describe`.

        Raises:
            InputError: data.json is missing or damaged, or another version wrote it.
        """
        about, path = self._read("data.json", json.loads), self.folder / "data.json"
        wrong = [name for name, kind in ABOUT.items() if name not in about or not isinstance(about[name], kind)]
        if not wrong and not is_shape(about):
            wrong = ["shape"]
        if not wrong and not is_reading(about["read"]):
            wrong = ["read"]
        if wrong:
            raise InputError(f"{path}: {wrong[0]!r} is missing or wrong; restore it or train again")
        require_format(about["format"], FORMAT, path)
        return about

    def scaling(self) -> Scaling:
        """Returns the scaling that was fitted to the training part."""
        return Scaling(**{k: tuple(v) for k, v in self.about()["scaling"].items()})

    def require_same(self, whole: Trajectories) -> None:
        """Refuses another data set than the one that the training part was taken from.

        Raises:
            InputError: names what differs.
        """
        require_same(self.about(), whole, self.folder)

    def require_known(self, known: np.ndarray | None) -> None:
        """Refuses other known edges than those that training began with.

        Raises:
            InputError: they differ.
        """
        if self.about().get("known", digest(known)) != digest(known):
            raise InputError(f"{self.folder}: was begun with other known edges; give the same --known")

    def consistent(self) -> AbstractContextManager[None]:
        """Returns a context in which files that do not fit each other are reported as such, see `consistent`."""
        return consistent(self.folder, "config.yaml, data.json and checkpoint.pt do not fit each other", MISFIT)

    def _read(self, name: str, parse: Callable[[str], Any]) -> dict[str, Any]:
        path = self._need(name)
        try:
            values = parse(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise InputError(f"{path}: is damaged; restore it or train again")
        return values

    def _need(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            if self.killed_early:
                raise InputError(f"{self.folder}: training was killed before it began; leave --resume out to begin")
            raise InputError(
                f"{self.folder}: is no run folder, {name} is missing; give the --out of `bouncegrad train`"
            )
        return path

    def save(self, state: dict[str, Any]) -> None:
        """Writes the checkpoint; an older one stays until the new one is complete."""
        write_torch(state | {"format": FORMAT}, self.checkpoint)

    def state(self) -> dict[str, Any]:
        """Returns the state that was saved last.

        Raises:
            InputError: the checkpoint is missing or damaged, or another version wrote it.
        """
        path = self._need("checkpoint.pt")
        try:
            state: dict[str, Any] = read_torch(path)
            version = int(state["format"])
        except Exception:
            raise InputError(f"{path}: is no checkpoint of bouncegrad or is damaged; train again") from None
        require_format(version, FORMAT, path)
        return state

    @property
    def progress(self) -> float:
        """Share of the whole run that was done at the checkpoint, the forecasting stage included."""
        with self.consistent():
            state = self.state()
            progress = float(state["schedule"]["progress"])
            second = self.config().forecast
            if second:
                stage = state["forecast"]
                progress = (1 - second) * progress + second * (float(stage["progress"]) if stage else 0.0)
        return progress

    @property
    def last_loss(self) -> float | None:
        """Loss in the last row of metrics that has one; None if there is none."""
        found = [row["loss"] for row in self.rows() if isinstance(row.get("loss"), float)]
        return found[-1] if found else None

    def cut_rows(self, end: float) -> None:
        """Removes the rows of metrics from this epoch on, and temporary files that a killed process left."""
        cut_rows(self.metrics, end)
        remove_remains(self.folder)

    def add_row(self, row: dict[str, Any]) -> None:
        """Appends one row of metrics."""
        add_row(self.metrics, row)

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows of metrics so far."""
        return read_rows(self.metrics)
