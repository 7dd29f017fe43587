"""The rows of metrics as TensorBoard's event files in the run folder: every number under its key, against the epoch.

metrics.jsonl is what a run remembers; event files are written anew from it whenever training begins or goes on, so
that no point stands twice. Their time is time in training: pauses between stopping and going on do not show.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bouncegrad.data.errors import InputError
from bouncegrad.runs.folder import Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILES = "events.out.tfevents.*"


def has_events(run: Run) -> bool:
    """Whether the run folder holds event files."""
    return any(run.folder.glob(FILES))


class Events:
    """Takes rows as they are added to metrics.jsonl.

    Args:
        run: whose folder gets the files.

    Raises:
        InputError: the package is not installed.
    """

    def __init__(self, run: Run) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "--tensorboard needs the package tensorboard; install it with: pip install 'bouncegrad[tensorboard]'"
            ) from None
        self.run, self.kind = run, SummaryWriter
        self.writer: SummaryWriter | None = None

    def __call__(self, row: dict[str, Any]) -> None:
        """Writes a row that is the last one of metrics.jsonl."""
        if self.writer is None:
            self.begin(self.run.rows())
        else:
            self.write(row)
        assert self.writer is not None
        self.writer.flush()

    def begin(self, rows: list[dict[str, Any]]) -> None:
        """A file with all rows so far; a TensorBoard that is open forgets what it read of the files before."""
        for path in self.run.folder.glob(FILES):
            path.unlink()
        self.writer = self.kind(str(self.run.folder), purge_step=0)
        self.start = time.time() - (rows[-1]["seconds"] if rows else 0.0)
        for row in rows:
            self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        """Every number of a row."""
        assert self.writer is not None
        for key, value in row.items():
            if key != "epoch" and isinstance(value, int | float):
                self.writer.add_scalar(key, value, row["epoch"], walltime=self.start + row["seconds"])

    def complete(self) -> None:
        """Writes all rows where training had ended before and added none."""
        if self.writer is None and self.run.rows():
            self.begin(self.run.rows())

    def close(self) -> None:
        """Writes what is left; nothing of a training that was refused."""
        if self.writer is not None:
            self.writer.close()


@contextmanager
def events(run: Run, wanted: bool) -> Iterator[Events | None]:
    """For one training; nothing is loaded or written where none are wanted."""
    made = Events(run) if wanted else None
    try:
        yield made
        if made is not None:
            made.complete()
    finally:
        if made is not None:
            made.close()
