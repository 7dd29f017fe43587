"""The run folder: config.yaml, data.json, metrics.jsonl and checkpoint.pt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import is_remains, remove_remains, replacing
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.runs.metrics_log import add_row, cut_rows, read_rows
from bouncegrad.runs.provenance import ABOUT, FORMAT, digest, is_reading, is_shape, require_same
from bouncegrad.settings.config import Config
from bouncegrad.settings.safe_yaml import load_plain

HEADING = "# settings of a run of bouncegrad, format "
BEGINNING = ("config.yaml", "data.json")  # what is written before the first checkpoint


def is_beginning(path: Path) -> bool:
    """Whether a file of a run folder may be there before its first checkpoint."""
    return path.name in BEGINNING or is_remains(path)


def require_format(found: int, known: int, path: Path) -> None:
    """Refuses a file of another format, and says which of the two versions is behind."""
    if found > known:
        raise InputError(f"{path}: has format {found}, this version reads {known}; update bouncegrad")
    if found < known:
        raise InputError(f"{path}: has format {found} of an older version, this one reads {known}; train anew")


class Run:
    """A folder that holds all of one training run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.checkpoint = self.folder / "checkpoint.pt"
        self.metrics = self.folder / "metrics.jsonl"

    def create(self, config: Config, about: dict[str, Any]) -> None:
        """Writes the resolved settings and what is known of the data.

        Raises:
            InputError: the folder holds something already, or cannot be written.
        """
        self.require_free()
        with replacing(self.folder / "data.json") as path:
            path.write_text(json.dumps(about, indent=1))
        with replacing(self.folder / "config.yaml") as path:
            path.write_text(f"{HEADING}{FORMAT}\n{config.to_yaml()}")

    @property
    def killed_early(self) -> bool:
        """Whether all there is comes from a process that was killed before its first checkpoint."""
        found = list(self.folder.iterdir()) if self.folder.is_dir() else []
        return bool(found) and all(map(is_beginning, found))

    def require_free(self) -> None:
        """Refuses a folder that holds anything else than what a process leaves that was killed before it began."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir() or not (self.killed_early or not any(self.folder.iterdir())):
            raise InputError(f"{self.folder}: is not empty; choose another --out, or continue with --resume")
        remove_remains(self.folder)

    def config(self) -> Config:
        """The resolved settings of the run."""
        path = self._need("config.yaml")
        with path.open(encoding="utf-8", errors="replace") as file:
            stated = re.fullmatch(rf"{HEADING}(\d{{1,9}})\s*", file.readline(100))
        require_format(int(stated[1]) if stated else FORMAT, FORMAT, path)
        return Config.from_mapping(self._read("config.yaml", load_plain), str(self.folder / "config.yaml"))

    def about(self) -> dict[str, Any]:
        """What is known of the training data, see `describe`."""
        about = self._read("data.json", json.loads)
        wrong = [name for name, kind in ABOUT.items() if name not in about or not isinstance(about[name], kind)]
        if not wrong and not is_shape(about):
            wrong = ["shape"]
        if not wrong and not is_reading(about["read"]):
            wrong = ["read"]
        if wrong:
            raise InputError(f"{self.folder / 'data.json'}: {wrong[0]!r} is missing or wrong; restore it or train anew")
        require_format(about["format"], FORMAT, self.folder / "data.json")
        return about

    def scaling(self) -> Scaling:
        """The scaling fitted on the training part."""
        return Scaling(**{k: tuple(v) for k, v in self.about()["scaling"].items()})

    def require_same(self, whole: Trajectories) -> None:
        """Refuses another data set than the one that the training part was taken from."""
        require_same(self.about(), whole, self.folder)

    def require_known(self, known: np.ndarray | None) -> None:
        """Refuses other known edges than those that training began with."""
        if self.about().get("known", digest(known)) != digest(known):
            raise InputError(f"{self.folder}: was begun with other known edges; give the same --known")

    @contextmanager
    def consistent(self) -> Iterator[None]:
        """Files of the folder that are whole but do not fit each other are the user's error, not a bug.

        Raises:
            InputError: a shape, a size or a value of one file does not go with another.
        """
        try:
            yield
        except InputError:
            raise
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.folder}: config.yaml, data.json and checkpoint.pt do not fit each other; "
                "restore them or train anew"
            ) from error

    def _read(self, name: str, parse: Callable[[str], Any]) -> dict[str, Any]:
        path = self._need(name)
        try:
            values = parse(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise InputError(f"{path}: is damaged; restore it or train anew")
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
        """Writes the checkpoint; the file is replaced at once."""
        write_torch(state | {"format": FORMAT}, self.checkpoint)

    def state(self) -> dict[str, Any]:
        """The checkpoint, as saved.

        Raises:
            InputError: there is none, it is damaged, or a newer version wrote it.
        """
        path = self._need("checkpoint.pt")
        try:
            state: dict[str, Any] = read_torch(path)
            version = int(state["format"])
        except Exception:
            raise InputError(f"{path}: is no checkpoint of bouncegrad or is damaged; train anew") from None
        require_format(version, FORMAT, path)
        return state

    @property
    def progress(self) -> float:
        """Share of the whole run that the checkpoint has seen."""
        with self.consistent():
            state = self.state()
            progress = float(state["schedule"]["progress"])
            second = self.config().forecast
            if second:
                stage = state["forecast"]
                progress = (1 - second) * progress + second * (float(stage["progress"]) if stage else 0.0)
        return progress

    def cut_rows(self, end: float) -> None:
        """Keeps the rows of metrics before this epoch; what a killed process left half written goes, too."""
        cut_rows(self.metrics, end)
        remove_remains(self.folder)

    def add_row(self, row: dict[str, Any]) -> None:
        """Appends one row of metrics."""
        add_row(self.metrics, row)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics so far."""
        return read_rows(self.metrics)
