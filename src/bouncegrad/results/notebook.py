"""What notebooks show of results, forecasts, unseen entities and trainings: the main numbers and a small picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np

from bouncegrad.data.cards import Rows, attempted, card, listed
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.numbers import written
from bouncegrad.results.result import DETERMINED, Result
from bouncegrad.results.unseen import Unseen
from bouncegrad.results.verdict import Verdict

MOST = 60  # entities that are drawn


def card_of(result: object) -> str | None:
    """Returns the card of a result, a forecast or unseen entities; None if that fails."""

    def made() -> str:
        if isinstance(result, Forecast):
            return forecast_card(result)
        if isinstance(result, Unseen):
            return unseen_card(result)
        assert isinstance(result, Result)
        return card("Result", result_rows(result), [lambda: graph_svg(result)])

    return attempted(made)


def result_rows(result: Result) -> Rows:
    """Returns the main numbers of a result."""
    n = len(result.entities)
    undetermined = result.undetermined.sum() / max(len(result.tasks) * n * (n - 1), 1)
    return [
        ("tasks", f"{len(result.tasks):,}"),
        ("entities", f"{n:,}: {listed(result.entities)}"),
        ("edge types", listed(result.type_names)),
        ("frames used", f"{result.context:,}"),
        ("undetermined", f"{undetermined:.1%} of the edges: no type has a probability of {DETERMINED}"),
        ("loss", f"{written(float(result.loss.mean()))} nats per number, mean of all tasks"),
        *result.origins.items(),
        ("verdict", "" if result.verdict is None else result.verdict.sentence),
        ("unlike training", "; ".join(result.unlike)),
        ("picture", f"task {result.tasks[0]}" if n <= MOST else ""),
    ]


def graph_svg(result: Result) -> str:
    """Returns the graph of the first task; nothing if there are too many entities."""
    from bouncegrad.results import plots
    from bouncegrad.results.style import figure, svg

    if len(result.entities) > MOST:
        return ""
    made, ax = figure(3.0, 3.0)
    edges, probability = result.edges[0], result.probability[0]
    plots.network(edges, result.entities, probability, ax, result.type_names, without_type=result.without_type)
    return svg(made, f"graph of task {result.tasks[0]}", prefix_of(probability))


def forecast_card(forecast: Forecast) -> str:
    """Returns the card of a forecast: its sizes, and the first task."""
    m, steps, n, _ = forecast.x.shape
    width = (forecast.high - forecast.low)[:, -1].mean((0, 1))
    widths = [f"{name} {written(float(value))}" for name, value in zip(forecast.features, width, strict=True)]
    rows = [
        ("tasks", f"{m:,}"),
        ("frames", f"{steps:,} after {forecast.context:,}, {forecast.dt:g} apart"),
        ("entities", f"{n:,}: {listed(forecast.entities)}"),
        ("90 % interval", f"mean width in the last frame: {listed(widths)}"),
        ("picture", f"task {forecast.tasks[0]}: forecasts are dashed, each from its mark on"),
    ]
    return card("Forecast", rows, [lambda: forecast_svg(forecast)])


def forecast_svg(forecast: Forecast) -> str:
    """Returns the forecast of the first task, without recorded frames, which a forecast does not hold."""
    from bouncegrad.results import plots
    from bouncegrad.results.style import figure, svg

    first = slice(1)
    arrays = {name: getattr(forecast, name)[first, ..., :MOST, :] for name in ("x", "low", "high", "last")}
    shown = replace(forecast, **arrays, tasks=forecast.tasks[first], entities=forecast.entities[:MOST])
    made, ax = figure(3.2, 3.0)
    frames = forecast.context + forecast.x.shape[1]
    plots.forecast_fan(shown, unrecorded(frames, shown.entities, shown.features, shown.units, shown.dt), 0, ax)
    without_key(ax)
    return svg(made, f"forecast of task {forecast.tasks[0]}", prefix_of(shown.x))


def unseen_card(found: Unseen) -> str:
    """Returns the card of unseen entities: their tracks in the first task, and the graph of all entities."""
    errors = "; ".join(f"{written(error)} with {count}" for count, error in found.errors.items())
    rows = [
        ("unseen", listed(found.unseen) or "nobody"),
        ("determined", f"in {int(found.determined.sum()):,} of {len(found.determined):,} tasks"),
        ("forecast error", errors and f"{errors} unseen"),
        *result_rows(found.result),
    ]
    return card("Unseen entities", rows, [lambda: unseen_svg(found), lambda: graph_svg(found.result)])


def unseen_svg(found: Unseen) -> str:
    """Returns the tracks of the unseen entities in the first task, without recorded tracks, which are not at hand."""
    from bouncegrad.results import plots
    from bouncegrad.results.style import figure, svg

    if not found.unseen:
        return ""
    made, ax = figure(3.2, 3.0)
    nobody = unrecorded(found.tracks.shape[1], ("", " "), found.features, found.units, found.dt)
    plots.unseen_entity(found, nobody, 0, ax)
    without_key(ax)
    return svg(made, f"tracks of unseen entities in task {found.tasks[0]}", prefix_of(found.tracks))


def training_page(title: str, rows: Sequence[Mapping[str, Any]] | None, verdict: Verdict | None) -> str | None:
    """Returns the card of an estimator: how its training ended, and the course of the loss; None if that fails.

    Args:
        title: the estimator as text.
        rows: rows of metrics; None: it is not fitted.
        verdict: of held-out frames.
    """

    def made() -> str:
        if rows is None:
            return card(title, [("state", "not fitted yet")])
        measured = [row for row in rows if isinstance(row.get("loss"), float)]
        last = measured[-1] if measured else {}
        right = last.get("edge_accuracy")
        said = [
            ("state", "fitted"),
            ("epochs", f"{last['epoch']:,}" if "epoch" in last else ""),
            ("seconds", f"{last['seconds']:.3g}" if "seconds" in last else ""),
            ("loss", f"{written(last['loss'])} nats per number" if last else ""),
            ("edge accuracy", "" if right is None else f"{right:.4f} on the training tasks"),
            ("type labels", str(last.get("labels", ""))),
            ("verdict", "" if verdict is None else verdict.sentence),
        ]
        return card(title, said, [lambda: loss_svg(measured)] if len(measured) > 1 else [])

    return attempted(made)


def loss_svg(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the course of the loss in training."""
    from bouncegrad.results import plots
    from bouncegrad.results.style import figure, svg

    made, ax = figure(3.2, 2.0)
    plots.curves(rows, ax, "loss")
    return svg(made, "loss by epoch", prefix_of(np.array([row["loss"] for row in rows])))


def without_key(ax: Any) -> None:
    """Removes the legend, which names recorded tracks."""
    if (key := ax.get_legend()) is not None:
        key.remove()


def unrecorded(
    frames: int, entities: tuple[str, ...], features: tuple[str, ...], units: tuple[str, ...], dt: float
) -> Trajectories:
    """Returns recordings in which nothing was observed, for figures that would draw recorded frames."""
    nothing = np.full((1, max(frames, 2), len(entities), len(features)), np.nan)
    return Trajectories(nothing, dt=dt, features=features, units=units, entities=entities)


def prefix_of(values: np.ndarray) -> str:
    """Returns a text that the ids of a picture begin with, the same for the same values: notebooks do not change."""
    return f"b{crc32(np.ascontiguousarray(values).tobytes()):08x}"
