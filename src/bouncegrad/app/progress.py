"""Progress bars on stderr; nothing is shown if stderr is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

LONGEST_BAR, SHORTEST_BAR = 24, 6
SHARE, LEFT = 4, 7  # characters of 100% and 0:00:00


class Bar:
    """A line with the label of the work, a bar, the share done, the time left and some numbers, as far as they fit."""

    def __init__(self, progress: Progress, label: str) -> None:
        self.progress, self.label = progress, label
        self.task = progress.add_task(label, total=1.0, numbers="")

    def __call__(self, share: float, numbers: str = "") -> None:
        """Sets the share done (0 to 1) and the numbers."""
        self.progress.columns, numbers = fitting(self.progress.console.width, self.label, numbers)
        self.progress.update(self.task, completed=share, numbers=numbers)

    def print_line(self, line: str) -> None:
        """Prints a note above the bar."""
        self.progress.console.print(f"bouncegrad: note: {line}", markup=False, highlight=False, soft_wrap=True)


def fitting(width: int, label: str, numbers: str = "") -> tuple[tuple[ProgressColumn, ...], str]:
    """Returns the columns that fit on a terminal, and the numbers that fit; numbers are separated by two blanks.

    Where there is no room, the bar goes first, then the numbers from the last one on, then the time left, then the
    label. No word is cut.
    """
    room = width - len(label) - SHARE - LEFT - 2
    while numbers and len(numbers) + 1 > room:
        numbers = numbers.rpartition("  ")[0]
    over = room - (len(numbers) + 1 if numbers else 0) - 1
    whole = Column(no_wrap=True)
    columns: list[tuple[bool, ProgressColumn]] = [
        (width > len(label) + SHARE, TextColumn("{task.description}", table_column=whole)),
        (over >= SHORTEST_BAR, BarColumn(min(LONGEST_BAR, max(over, 1)))),
        (True, TaskProgressColumn(table_column=whole)),
        (room >= 0, TimeRemainingColumn(compact=True, table_column=whole)),
        (bool(numbers), TextColumn("{task.fields[numbers]}", table_column=whole)),
    ]
    return tuple(column for fits, column in columns if fits), numbers


@contextmanager
def bar(label: str, shown: bool = True) -> Iterator[Bar]:
    """Shows a progress bar while the body runs."""
    console = Console(stderr=True)
    columns, _ = fitting(console.width, label)
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal), transient=True) as progress:
        yield Bar(progress, label)


def training_numbers(row: dict[str, Any]) -> str:
    """Returns the phase of training and the main numbers of a row of metrics."""
    if row.get("stage") == "forecast":
        return f"forecasting {row['steps_ahead']} ahead  loss {row['forecast_loss']:.3f}"
    temperature = row["temperature"]
    phase = "mixing" if temperature is None else f"{'cooling' if temperature > 1 else 'settling'}  T {temperature:.3g}"
    known = row["edge_accuracy"]
    accuracy = "" if known is None else f"  accuracy {known:.3f}"
    rate = "" if row["tasks_per_second"] is None else f"  {row['tasks_per_second']:,.0f} tasks/s"
    return f"{phase}  loss {row['loss']:.3f}{accuracy}{rate}"
