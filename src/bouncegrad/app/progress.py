"""Progress on a terminal's stderr; silent where stderr is no terminal."""

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
SHARE, LEFT = 4, 7  # letters of 100% and 0:00:00


class Bar:
    """One line: what is going on, a bar, the share done, the time left and a few numbers, as far as there is room."""

    def __init__(self, progress: Progress, label: str) -> None:
        self.progress, self.label = progress, label
        self.task = progress.add_task(label, total=1.0, numbers="")

    def __call__(self, share: float, numbers: str = "") -> None:
        """Sets the share done (0 to 1) and the numbers."""
        self.progress.columns, numbers = fitting(self.progress.console.width, self.label, numbers)
        self.progress.update(self.task, completed=share, numbers=numbers)

    def say(self, line: str) -> None:
        """One line of its own, above the bar."""
        self.progress.console.print(f"bouncegrad: note: {line}", markup=False, highlight=False, soft_wrap=True)


def fitting(width: int, label: str, numbers: str = "") -> tuple[tuple[ProgressColumn, ...], str]:
    """The columns that a terminal has room for, and those of the numbers, which are apart by two blanks.

    The bar gives way first, then the numbers from the last on, then the time left, then the label: no word is cut.
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
    """A progress bar for one piece of work."""
    console = Console(stderr=True)
    columns, _ = fitting(console.width, label)
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal), transient=True) as progress:
        yield Bar(progress, label)


def training_numbers(row: dict[str, Any]) -> str:
    """The numbers of a row of metrics that are worth a glance."""
    if row.get("stage") == "forecast":
        return f"forecasting {row['steps_ahead']} ahead  loss {row['forecast_loss']:.3f}"
    temperature = row["temperature"]
    phase = "mixing" if temperature is None else f"{'cooling' if temperature > 1 else 'settling'}  T {temperature:.3g}"
    known = row["edge_accuracy"]
    accuracy = "" if known is None else f"  accuracy {known:.3f}"
    rate = "" if row["tasks_per_second"] is None else f"  {row['tasks_per_second']:,.0f} tasks/s"
    return f"{phase}  loss {row['loss']:.3f}{accuracy}{rate}"
