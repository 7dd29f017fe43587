"""What a notebook shows of recordings: their sizes and the tracks of the first task, drawn without Matplotlib."""

from __future__ import annotations

from html import escape

import numpy as np
from jaxtyping import Float

from bouncegrad.data.cards import attempted, card, listed
from bouncegrad.data.colours import COLOURS
from bouncegrad.data.trajectories import Trajectories

SIDE, EDGE = 220, 8  # pixels of a picture, and of its margin
POINTS, PATHS = 4000, 60  # of a picture, at most


def recordings_card(data: Trajectories) -> str | None:
    """Returns the card of recordings: their sizes, and the tracks of the first task; None if that fails."""

    def made() -> str:
        m, t, n, d = data.shape
        missing = "" if data.mask is None else f"{1 - data.mask.mean():.1%} of the cells"
        rows = [
            ("tasks", f"{m:,}"),
            ("frames", f"{t:,}, {data.dt:g} apart"),
            ("entities", f"{n:,}: {listed(data.entities)}"),
            ("features", f"{d}: {listed(data.features)}"),
            ("not observed", missing),
            ("true edges", "unknown" if data.edges is None else "known"),
            ("resampled", data.resampling),
            ("assumed", "; ".join(data.assumed)),
            ("from", data.source),
        ]
        return card("Trajectories", rows, [lambda: tracks_svg(data)])

    return attempted(made)


def tracks_svg(data: Trajectories, task: int = 0) -> str:
    """Returns the tracks of one task as an SVG: paths in the plane, or the first feature against time."""
    _, t, n, _ = data.shape
    stride = max(1, t * min(n, PATHS) // POINTS)
    x = np.array(data.x[task, ::stride, :PATHS], np.float64)
    if data.mask is not None:
        x[~data.mask[task, ::stride, :PATHS]] = np.nan
    if {"x", "y"} <= set(data.features):
        points = x[..., [data.features.index("x"), data.features.index("y")]]
        points[..., 1] *= -1  # pixels count downwards
        span = np.full(2, np.nanmax(np.nanmax(points, (0, 1)) - np.nanmin(points, (0, 1))))
        what = "paths in the plane"
    else:
        time = np.broadcast_to(np.arange(len(x))[:, None], x.shape[:2])
        points = np.stack([time, -x[..., 0]], -1)
        span = np.nanmax(points, (0, 1)) - np.nanmin(points, (0, 1))
        what = f"{data.features[0]} against time"
        period = float(data.periods[0])
        if period:  # an angle that wraps leaves a gap
            points[1:][np.abs(np.diff(x[..., 0], axis=0)) > period / 2] = np.nan
    middle = (np.nanmax(points, (0, 1)) + np.nanmin(points, (0, 1))) / 2
    at = SIDE / 2 + (points - middle) * (SIDE - 2 * EDGE) / np.where(span > 0, span, 1.0)
    paths = "".join(
        f'<path d="{path(at[:, i])}" fill="none" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="1.3"/>'
        for i in range(at.shape[1])
    )
    label = escape(f"task {data.tasks[task]}: {what}")
    size = f'width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}"'
    return f'<svg role="img" aria-label="{label}" {size}><title>{label}</title>{paths}</svg>'


def path(points: Float[np.ndarray, "T 2"]) -> str:
    """Returns the points as the path of an SVG; points that are not finite leave gaps.

    Example:
        >>> path(np.array([[0.0, 1.0], [2.0, 3.0], [np.nan, 0.0], [4.0, 5.0]]))
        'M0.0 1.0L2.0 3.0M4.0 5.0'
    """
    words, pen = [], "M"
    for x, y in points.tolist():
        if np.isfinite(x) and np.isfinite(y):
            words.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(words)
