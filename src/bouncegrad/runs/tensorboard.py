"""The rows of metrics as event files of TensorBoard in the run folder: every number by its key, against the epoch.

The event files are a copy of metrics.jsonl. Whenever training begins or is resumed, they are written again from the
start, so that no point appears twice. Their times are times of training; pauses before a resume do not count.
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
    """Writes each row of metrics to an event file; called after the row was added to metrics.jsonl.

    Args:
        run: the run whose folder holds the files.

    Raises:
        InputError: the package tensorboard is not installed.
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
        """Writes a row, which must be the last one of metrics.jsonl."""
        if self.writer is None:
            self.begin(self.run.rows())
        else:
            self.write(row)
        assert self.writer is not None
        self.writer.flush()

    def begin(self, rows: list[dict[str, Any]]) -> None:
        """Replaces all event files by one with all rows so far.

        `purge_step` makes a TensorBoard that is open discard the points of the earlier files.
        """
        for path in self.run.folder.glob(FILES):
            path.unlink()
        self.writer = self.kind(str(self.run.folder), purge_step=0)
        self.start = time.time() - (rows[-1]["seconds"] if rows else 0.0)
        for row in rows:
            self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        """Writes every number of a row."""
        assert self.writer is not None
        for key, value in row.items():
            if key != "epoch" and isinstance(value, int | float):
                self.writer.add_scalar(key, value, row["epoch"], walltime=self.start + row["seconds"])

    def complete(self) -> None:
        """Writes all rows if training added none because it had ended before."""
        if self.writer is None and self.run.rows():
            self.begin(self.run.rows())

    def close(self) -> None:
        """Closes the event file, if one was opened; a training that was refused has none."""
        if self.writer is not None:
            self.writer.close()


@contextmanager
def events(run: Run, wanted: bool) -> Iterator[Events | None]:
    """Provides the event files of one training; None, without loading TensorBoard, if they are not wanted."""
    made = Events(run) if wanted else None
    try:
        yield made
        if made is not None:
            made.complete()
    finally:
        if made is not None:
            made.close()
