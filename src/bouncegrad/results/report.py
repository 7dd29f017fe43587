"""Report of a run or a result: one HTML page with settings, metrics, figures and inferred graphs."""

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
from bouncegrad.results.report_scores import score_part
from bouncegrad.results.report_tasks import tasks
from bouncegrad.results.report_trust import trust, undetermined
from bouncegrad.results.result import Result


@dataclass(frozen=True, eq=False)
class Report:
    """Content of a report. The page states "not available" for missing parts.

    Args:
        title: title of the page.
        question: what was run, in words.
        command: command line that repeats the run.
        facts: (name, value) pairs: data, preset, seed, hardware, time, ...
        numbers: metrics, with their meaning and baselines.
        curves: rows of `metrics.jsonl`, see `training_curves.py`.
        data: the tasks of `result`, in the same order, with the truth if it is known.
        result: the inferred edges.
        perm: `perm[inferred type] = true type`; by default the best relabelling for this data.
        without_type: the inferred type that means "no interaction" and is not drawn. By default, true type 0 is not
            drawn if the truth is known; otherwise, all types are drawn.
        errors: mean squared forecast error by horizon, by name of the forecast, in the published normalisation.
        fits: regression tasks; such a report has no recordings and graphs.
        law: learned law of each inferred type.
        true_law: true forces, by true type.
        forecast: forecasts of some tasks of `data`, identified by the names of the tasks.
        draw: number of tasks that are drawn.
        trained: whether the report is about a run. A report about a result has no training curves, forecasts and law.

    Raises:
        InputError: `data` and `result` have different tasks or entities.
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
                f"{self.result.source}: the result has {len(self.result.tasks)} tasks of {len(self.result.entities)} "
                f"entities, but the data has {m} of {n}; give the data from which the result was inferred"
            )
        if self.data.edges is not None and self.perm is None:
            perm = relabelling(self.data.edges, self.result.edges, len(self.result.type_names))
            object.__setattr__(self, "perm", perm)

    @property
    def chosen(self) -> list[tuple[int, str]]:
        """Indices of the tasks that are drawn, with the reason; the task with the highest loss is first."""
        if self.result is not None:
            return figures.choose_tasks(self.result.loss, self.draw)
        return [] if self.data is None else [(i, "") for i in range(min(self.draw, len(self.data.tasks)))]


def write_report(content: Report, path: str | Path) -> None:
    """Writes the page as one file, which contains all figures and makes no network requests.

    Its only script runs the player.

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
    inferred = (content.data, content.result, content.perm)
    chosen = content.chosen
    page = environment.get_template("report.html").render(
        report=content,
        number_tables=_number_tables(content.numbers),
        curves=figures.training(content.curves),
        horizon=figures.horizon(content.errors),
        functions=figures.functions(content.fits or (), content.draw),
        tasks=tasks(*inferred, content.without_type, content.forecast, chosen),
        player=player(*inferred, content.without_type, [task for task, _ in chosen]),
        law=figures.law_figure(_relabelled_law(content), content.true_law if content.perm else None),
        undetermined=undetermined(*inferred),
        scores=score_part(content.data, content.result, chosen[0][0] if chosen else 0),
        **trust(*inferred),
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _relabelled_law(content: Report) -> Law | None:
    """Returns the learned law with the labels of the true types, if these are known."""
    if content.law is None or content.perm is None:
        return content.law
    return content.law.ordered(np.argsort(content.perm).tolist(), [str(k) for k in range(len(content.perm))])


def _number_tables(numbers: Sequence[Number]) -> list[tuple[list[str], list[Number], str]]:
    """Returns columns, rows and scope of each table.

    A number with a new scope, or with baselines that the current table does not have, starts a new table.
    """
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
