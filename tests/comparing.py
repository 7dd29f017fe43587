"""Compares two runs bit for bit, except for times."""

from __future__ import annotations

from typing import Any

import torch

from bouncegrad.runs.folder import Run

TIMES = {"seconds", "within", "tasks_per_second", "since", "validation_seconds"}


def timeless(state: Any) -> Any:
    """Returns a checkpoint or a row without the values that depend on the clock."""
    if isinstance(state, dict):
        return {key: timeless(value) for key, value in state.items() if key not in TIMES}
    if isinstance(state, list):
        return [timeless(value) for value in state]
    return state


def assert_same(first: Any, second: Any, where: str = "checkpoint") -> None:
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_same(first[key], second[key], f"{where}, {key}")
    elif isinstance(first, list):
        assert len(first) == len(second), where
        for i, (one, two) in enumerate(zip(first, second, strict=True)):
            assert_same(one, two, f"{where}, {i}")
    else:
        assert first == second, where


def assert_same_runs(first: Run, second: Run) -> None:
    assert_same(timeless(first.state()), timeless(second.state()))
    assert timeless(first.rows()) == timeless(second.rows())
    assert (first.folder / "config.yaml").read_text() == (second.folder / "config.yaml").read_text()
