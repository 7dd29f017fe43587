"""Checkpoints of training: what they hold, and how a run is restored from one, even in the middle of a pass."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

from bouncegrad.fitting.parts import Parts
from bouncegrad.runs.counts import Counts
from bouncegrad.runs.folder import Run


class Restored(NamedTuple):
    """The values that `restore` returns; the parts themselves are restored in place.

    Args:
        counts: sums since the last row of metrics.
        within_pass: sums of the pass that was interrupted.
        final_structures: state of the search for final structures; None: it had not begun.
        forecast: state of the forecasting stage; None: it had not begun.
        end: rows of metrics from this epoch on were written after the checkpoint, see `Run.cut_rows`.
    """

    counts: Counts
    within_pass: Counts
    final_structures: dict[str, Any] | None
    forecast: dict[str, Any] | None
    end: float


def state_of(parts: Parts, counts: Counts, within_pass: Counts) -> dict[str, Any]:
    """Returns everything that changes in the stages before the final structures; tensors are shared, not copied."""
    return parts.loop.state_dict() | {
        "counts": asdict(counts),
        "schedule": parts.schedule.state_dict(),
        "restarts": parts.restarts.state_dict(),
        "coupling": parts.coupling.state_dict(),
        "pass": parts.frames.state_dict() | {"counts": asdict(within_pass)},
    }


def restore(run: Run, parts: Parts) -> Restored:
    """Restores the state of all parts from the checkpoint.

    Raises:
        InputError: there is no checkpoint, or it does not fit the settings and the data.
    """
    state = run.state()
    with run.consistent():
        parts.loop.load_state_dict(state)
        # Older runs call these parts starts and tying.
        parts.restarts.load_state_dict(state["restarts"] if "restarts" in state else state["starts"])
        parts.coupling.load_state_dict(state["coupling"] if "coupling" in state else state["tying"])
        for key, value in state["schedule"].items():
            setattr(parts.schedule, key, value)
        counts = Counts(**state["counts"])
        begun = state.get("pass", {"order": None, "done": 0, "counts": {}})  # older runs stop between passes only
        parts.frames.load_state_dict(begun)
        within_pass = Counts(**begun["counts"])
    # If counts remain, this epoch's row is not written yet.
    end = parts.schedule.epoch + (counts.visits == 0)
    final, forecast = state.get("inferred"), state["forecast"]
    if forecast is not None:
        if final is None:  # older runs keep all structures in the forecasting stage
            final = {"z": forecast["z"], "done": len(forecast["z"]), "seconds": 0.0}
        if "graph.edge.shortcut" in forecast["loop"]["composition"]:
            end = parts.schedule.epoch + forecast["segments"]["passes"] + (not forecast["losses"])
        else:  # older runs forecast without shortcuts: their forecasting stage begins anew
            forecast = None
    return Restored(counts, within_pass, final, forecast, end)
