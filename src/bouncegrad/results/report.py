"""One self-contained HTML page about a run or a result: what was run, how good it is, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import report_figures as figures
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.law import Force, Law
from bouncegrad.results.metrics import relabelling
from bouncegrad.results.numbers import Number, written
from bouncegrad.results.player import player
from bouncegrad.results.plots_functions import FunctionFit
from bouncegrad.results.report_tasks import tasks
from bouncegrad.results.report_trust import trust, undetermined
from bouncegrad.results.result import Result


@dataclass(frozen=True, eq=False)
class Report:
    """What a report is made of; whatever is missing is said to be not available.

    Args:
        title: the headline.
        question: in words, what was run on what.
        command: the command line that repeats it.
        facts: (name, value) pairs: data, preset, seed, hardware, time ...
        numbers: the metrics, each with its meaning and the baselines beside it.
        curves: the rows of `metrics.jsonl`, see `training_curves.py`.
        data: the tasks that `result` is about, in the same order, with the truth if it is known.
        result: what was inferred.
        perm: `perm[inferred type] = true type`; by default the best one for this data.
        without_type: the inferred type that means "no interaction" and is not drawn; by default type 0 after `perm`
            where the truth is known, and none where it is not.
        errors: mean squared forecast error by horizon, by name of the forecast, in the published normalisation.
        fits: regression tasks, in place of recordings and graphs.
        law: what was learned that edges of each inferred type do.
        true_law: the true forces, by true type.
        forecast: of some tasks of `data`, found by their names; those that are drawn show theirs.
        draw: how many tasks are drawn.
        trained: whether it is about a run; a result alone has no course of training, no forecasts and no law.

    Raises:
        InputError: `data` and `result` hold different tasks or entities.
    """

    title: str
    question: str = ""
    command: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    numbers: tuple[Number, ...] = ()
    curves: tuple[Mapping[str, Any], ...] = ()
    data: Trajectories | None = None
    result: Result | None = None
    perm: tuple[int, ...] | None = None
    without_type: int | None = None
    errors: Mapping[str, Float[np.ndarray, " S"]] = field(default_factory=dict)
    fits: tuple[FunctionFit, ...] | None = None
    law: Law | None = None
    true_law: tuple[Force, ...] | None = None
    forecast: Forecast | None = None
    draw: int = 6
    trained: bool = True

    def __post_init__(self) -> None:
        if self.data is None or self.result is None:
            return
        m, _, n, _ = self.data.shape
        if self.result.edges.shape != (m, n, n):
            raise InputError(
                f"{self.result.source}: a result for {len(self.result.tasks)} tasks of {len(self.result.entities)} "
                f"entities, but the data has {m} of {n}; give the data that the result was inferred from"
            )
        if self.data.edges is not None and self.perm is None:
            perm = relabelling(self.data.edges, self.result.edges, len(self.result.type_names))
            object.__setattr__(self, "perm", perm)

    @property
    def chosen(self) -> list[tuple[int, str]]:
        """The tasks that are drawn, the most surprising first, and why."""
        if self.result is not None:
            return figures.choose_tasks(self.result.loss, self.draw)
        return [] if self.data is None else [(i, "") for i in range(min(self.draw, len(self.data.tasks)))]


def write_report(content: Report, path: str | Path) -> None:
    """Writes the page: one file, figures inside, no request to anywhere; its one script moves the tracks of the player.

    Example:
        >>> write_report(Report("Springs", data=data, result=result), "report.html")  # doctest: +SKIP
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["number"] = written
    told = (content.data, content.result, content.perm)
    chosen = content.chosen
    page = environment.get_template("report.html").render(
        report=content,
        number_tables=_number_tables(content.numbers),
        curves=figures.training(content.curves),
        horizon=figures.horizon(content.errors),
        functions=figures.functions(content.fits or (), content.draw),
        tasks=tasks(*told, content.without_type, content.forecast, chosen),
        player=player(*told, content.without_type, [task for task, _ in chosen]),
        law=figures.law_figure(_named(content), content.true_law if content.perm else None),
        undetermined=undetermined(*told),
        **trust(*told),
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _named(content: Report) -> Law | None:
    """The learned law under the names of the truth where that is known."""
    if content.law is None or content.perm is None:
        return content.law
    return content.law.ordered(np.argsort(content.perm).tolist(), [str(k) for k in range(len(content.perm))])


def _number_tables(numbers: Sequence[Number]) -> list[tuple[list[str], list[Number], str]]:
    """Columns, rows and scope of each table: numbers of other baselines or another scope start a new one."""
    tables: list[tuple[list[str], list[Number], str]] = []
    for number in numbers:
        names = list(number.baselines)
        others = bool(tables and names and tables[-1][0] and not set(names) & set(tables[-1][0]))
        if not tables or others or number.scope != tables[-1][2]:
            tables.append(([], [], number.scope))
        columns, rows, _ = tables[-1]
        columns += [name for name in names if name not in columns]
        rows.append(number)
    return tables
