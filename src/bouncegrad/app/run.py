"""The run folder: config.yaml, data.json, metrics.jsonl and checkpoint.pt."""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from bouncegrad.app.config import Config
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.trajectories import Scaling, Trajectories

if TYPE_CHECKING:
    from bouncegrad.app.schedule import Schedule
    from bouncegrad.app.starts import Starts
    from bouncegrad.app.tying import Tying
    from bouncegrad.core.bouncegrad import BounceGrad

FORMAT = 3
ABOUT: dict[str, Any] = {
    **{"source": str, "summary": str, "fingerprint": str, "shape": list, "features": list, "scaling": dict},
    **{"dt": float, "held_out": list | None, "read": dict | None},
}


class Origin(NamedTuple):
    """Where training data came from: the whole data set, the tasks held out of it, and how it was read from disk."""

    whole: Trajectories
    held_out: list[int] | None = None
    read: dict[str, Any] | None = None


@dataclass
class Counts:
    """Sums since the last row of metrics."""

    visits: int = 0
    tasks: int = 0
    loss: float = 0.0
    acceptance: float = 0.0
    since: float = 0.0


def fingerprint(data: Trajectories) -> str:
    """SHA-256 of the states: tells whether two data sets are the same."""
    digest = hashlib.sha256(str(data.x.shape).encode())
    for part in data.blocks():
        digest.update(part.x.tobytes())
    return digest.hexdigest()


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
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError(f"{self.folder}: is not empty; choose another --out, or continue with --resume")
        with replacing(self.folder / "config.yaml") as path:
            path.write_text(config.to_yaml())
        with replacing(self.folder / "data.json") as path:
            path.write_text(json.dumps(about, indent=1))

    def config(self) -> Config:
        """The resolved settings of the run."""
        return Config.from_mapping(self._read("config.yaml", yaml.safe_load), str(self.folder / "config.yaml"))

    def about(self) -> dict[str, Any]:
        """What is known of the training data, see `describe`."""
        about = self._read("data.json", json.loads)
        wrong = [name for name, kind in ABOUT.items() if name not in about or not isinstance(about[name], kind)]
        if wrong:
            raise InputError(f"{self.folder / 'data.json'}: {wrong[0]!r} is missing or wrong; restore it or train anew")
        return about

    def scaling(self) -> Scaling:
        """The scaling fitted on the training part."""
        return Scaling(**{k: tuple(v) for k, v in self.about()["scaling"].items()})

    def require_same(self, whole: Trajectories) -> None:
        """Refuses another data set than the one that the training part was taken from."""
        if self.about()["fingerprint"] != fingerprint(whole):
            raise InputError(f"{whole.source}: is not the data that {self.folder} was trained on; give the same data")

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
            raise InputError(
                f"{self.folder}: is no run folder, {name} is missing; give the --out of `bouncegrad train`"
            )
        return path

    def save(
        self,
        loop: BounceGrad,
        schedule: Schedule,
        starts: Starts,
        tying: Tying,
        counts: Counts,
        forecast: dict[str, Any] | None = None,
    ) -> None:
        """Everything that changes, in one file that is replaced at once."""
        import torch

        state = loop.state_dict() | {
            "format": FORMAT,
            "counts": asdict(counts),
            "schedule": schedule.state_dict(),
            "starts": starts.state_dict(),
            "tying": tying.state_dict(),
            "forecast": forecast,
        }
        with replacing(self.checkpoint) as path:
            torch.save(state, path)

    def state(self) -> dict[str, Any]:
        """The checkpoint, as saved.

        Raises:
            InputError: there is none, it is damaged, or a newer version wrote it.
        """
        import torch

        path = self._need("checkpoint.pt")
        try:
            with warnings.catch_warnings(action="ignore"):  # torch wonders about foreign pickles before it refuses
                state = torch.load(path, weights_only=True, map_location="cpu")
            version = int(state["format"])
        except Exception:
            raise InputError(f"{path}: is no checkpoint of bouncegrad or is damaged; train anew") from None
        if version > FORMAT:
            raise InputError(f"{path}: has format {version}, this version reads {FORMAT}; update bouncegrad")
        if version < FORMAT:
            raise InputError(f"{path}: has format {version} of an older version, this one reads {FORMAT}; train anew")
        return state

    def warn_if_unfinished(self) -> None:
        """One line on stderr if training was stopped before its end."""
        with self.consistent():
            state = self.state()
            progress = float(state["schedule"]["progress"])
            second = self.config().forecast
            if second:
                stage = state["forecast"]
                progress = (1 - second) * progress + second * (float(stage["progress"]) if stage else 0.0)
        if progress < 1:
            print(
                f"bouncegrad: note: training of {self.folder} was stopped at {progress:.0%}, its modules are half "
                f"learned; finish it with bouncegrad train --resume --data DATA --out {self.folder}",
                file=sys.stderr,
            )

    def restore(
        self, loop: BounceGrad, schedule: Schedule, starts: Starts, tying: Tying
    ) -> tuple[Counts, dict[str, Any] | None, float]:
        """Puts a loop and a schedule where the checkpoint left them.

        Returns:
            Sums since the last row of metrics, where the forecasting stage stood, if it had begun, and the epoch from
            which on rows of metrics are not yet known to the checkpoint, see `cut_rows`.
        """
        state = self.state()
        with self.consistent():
            loop.load_state_dict(state)
            starts.load_state_dict(state["starts"])
            tying.load_state_dict(state["tying"])
            for key, value in state["schedule"].items():
                setattr(schedule, key, value)
            counts = Counts(**state["counts"])
        # With visits still to be summed up, the row of this very epoch is yet to be written.
        end = schedule.epoch + (counts.visits == 0)
        forecast = state["forecast"]
        if forecast is not None:
            end = schedule.epoch + forecast["segments"]["passes"] + (not forecast["losses"])
        return counts, forecast, end

    def cut_rows(self, end: float) -> None:
        """Keeps the rows before this epoch."""
        rows = [row for row in self.rows() if row["epoch"] < end]
        with replacing(self.metrics) as path:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def add_row(self, row: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line that was cut off is left out."""
        if not self.metrics.exists():
            return []
        rows = []
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                break
            if not isinstance(row, dict) or "epoch" not in row:
                break
            rows.append(row)
        return rows


def describe(data: Trajectories, scaling: Scaling, origin: Origin) -> dict[str, Any]:
    """What data.json keeps of the training data and of the data set it was taken from."""
    return {
        "format": FORMAT,
        "source": data.source,
        "summary": data.summary(),
        "shape": list(data.shape),
        "dt": float(data.dt),
        "features": list(data.features),
        "units": list(data.units),
        "entities": list(data.entities),
        "fingerprint": fingerprint(origin.whole),
        "held_out": origin.held_out,
        "read": origin.read,
        "scaling": {k: list(v) for k, v in asdict(scaling).items()},
    }
