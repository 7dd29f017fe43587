"""Progress on a terminal's stderr; silent where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column


class Bar:
    """One line: what is going on, a bar, the share done, the time left and a few numbers."""

    def __init__(self, progress: Progress, label: str) -> None:
        self.progress = progress
        self.task = progress.add_task(label, total=1.0, numbers="")

    def __call__(self, share: float, numbers: str = "") -> None:
        """Sets the share done (0 to 1) and the numbers."""
        self.progress.update(self.task, completed=share, numbers=numbers)

    def say(self, line: str) -> None:
        """One line of its own, above the bar."""
        self.progress.console.print(f"bouncegrad: note: {line}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def bar(label: str, shown: bool = True) -> Iterator[Bar]:
    """A progress bar for one piece of work."""
    console = Console(stderr=True)
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(table_column=Column(no_wrap=True)),  # on a narrow terminal the bar gives way, not a number
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[numbers]}"),
    )
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
