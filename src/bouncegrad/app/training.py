"""Training with progress on the terminal; commands do not call `bouncegrad.fitting.stages.train` elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from bouncegrad.app.arguments import printer
from bouncegrad.app.cli import launched
from bouncegrad.app.progress import bar, training_numbers
from bouncegrad.app.signals import stop_signal
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import Provenance
from bouncegrad.runs.tensorboard import events
from bouncegrad.settings.config import Config

if TYPE_CHECKING:
    from bouncegrad.models.model import Model

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What is to be trained.

    Args:
        config: settings.
        data: the training tasks.
        provenance: the data set that they were taken from.
        known: types `[source, target]` of known edges, -1 for all others.
        new: tasks that the run is validated on.
        resume: whether the run continues from its last checkpoint.
    """

    config: Config
    data: Trajectories
    provenance: Provenance
    known: Int[np.ndarray, "M N N"] | None = None
    new: Trajectories | None = None
    resume: bool = False


def train_in(run: Run, job: Job, resume_command: str, *, tensorboard: bool = False, quiet: bool = False) -> int:
    """Trains into a run folder. After Ctrl-C it saves a checkpoint and prints the command that resumes the run.

    Returns:
        The exit status: 0 at the end, 130 after Ctrl-C, 1 if another process of the run has ended.
    """
    from bouncegrad.core.distributed import LostProcess, joined
    from bouncegrad.fitting.environment import Environment
    from bouncegrad.fitting.stages import train

    def report(row: Row, progress: float) -> None:
        show(progress, training_numbers(row))
        if board is not None:
            board(row)

    try:
        with (
            joined(*launched()) as processes,
            events(run, tensorboard and processes.first) as board,
            bar("training", shown=processes.first and not quiet) as show,
            stop_signal() as stopped,
        ):
            _, loop, rows = train(
                job.config,
                job.data,
                run,
                provenance=job.provenance,
                known=job.known,
                new=job.new,
                resume=job.resume,
                environment=Environment(
                    stop=stopped,
                    report=report,
                    print_line=show.print_line if processes.first and not quiet else lambda line: None,
                    processes=processes,
                ),
            )
    except LostProcess:
        what = "another process has ended; go on from the last checkpoint with"
        print(f"bouncegrad: {what}: {resume_command}", file=sys.stderr)
        return 1
    # If another process received the signal, only the checkpoint says that this is not the end.
    if stopped() or (processes.count > 1 and processes.first and run.progress < 1):
        print(f"stopped; go on with: {resume_command}")
        return 130
    print_summary(rows, loop.skipped, printer(quiet))
    print(f"wrote {run.folder}")
    return 0


def print_summary(rows: Sequence[Row], skipped: int, print_line: Callable[[str], None]) -> None:
    """Prints the last measured loss and accuracy, and what was unusual in the run."""
    if skipped:
        print_line(f"{skipped} gradient steps were outliers or not finite, and were skipped")
    measured = [row for row in rows if "edge_accuracy" in row]
    if not measured:
        return
    last = measured[-1]
    right, right_of_new = last["edge_accuracy"], last.get("new_edge_accuracy")
    accuracy = "not available, no truth" if right is None else f"{right:.4f} on the training tasks"
    if right_of_new is not None:
        accuracy += f", {right_of_new:.4f} on new ones"
    print_line(f"{last['epoch']} epochs in {last['seconds']:.0f} s, loss {last['loss']:.4f}, edge accuracy {accuracy}")
    if labels := last.get("labels", last.get("names")):  # rows of older runs say names
        print_line(f"type labels: {labels}")


def train_with_bar(
    label: str, config: Config, data: Trajectories, run: Run | None = None, *, resume: bool = False
) -> tuple[Model, list[Row]]:
    """Trains and shows a progress bar, and nothing else; returns the model and the rows of metrics."""
    from bouncegrad.fitting.environment import Environment
    from bouncegrad.fitting.stages import train

    with bar(label) as show:
        environment = Environment(report=lambda row, progress: show(progress, training_numbers(row)))
        model, _, rows = train(config, data, run, resume=resume, environment=environment)
    return model, rows
