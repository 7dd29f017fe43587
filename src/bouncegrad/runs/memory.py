"""A run that is kept in memory until it is written to a folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, final

import torch

from bouncegrad.data.errors import InputError
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import ResolvedConfig


@final
class RunInMemory(Run):
    """What a run folder holds, without a folder: training writes into it as into a `Run`.

    The last checkpoint shares its tensors with the parts of the run, so keeping it costs neither time nor memory while
    the run goes on.
    """

    def __init__(self) -> None:
        super().__init__("memory")
        self.parts: tuple[ResolvedConfig, dict[str, Any]] | None = None
        self.kept: dict[str, Any] | None = None
        self.lines: list[dict[str, Any]] = []

    @classmethod
    def read(cls, folder: str | Path) -> RunInMemory:
        """Returns a copy of a run folder.

        Raises:
            InputError: the folder holds no run, or its files are damaged.
        """
        there, run = Run(folder), cls()
        run.create(there.config(), there.about())
        run.kept, run.lines = there.state(), there.rows()
        return run

    def write(self, folder: str | Path) -> None:
        """Writes config.yaml, data.json, metrics.jsonl and checkpoint.pt, the files of `bouncegrad train`.

        Raises:
            InputError: the folder holds files already, or cannot be written.
        """
        there = Run(folder)
        if there.folder.exists() and not (there.folder.is_dir() and not any(there.folder.iterdir())):
            raise InputError(f"{folder}: is not empty; choose another folder")
        there.create(self.config(), self.about())
        for row in self.lines:
            there.add_row(row)
        there.save(self.state())

    def settle(self) -> None:
        """Moves the checkpoint of a run that has ended to the CPU, without the evidence that only training needs."""
        state = self.state()
        if state["search"].get("evidence") is not None:
            state = state | {"search": state["search"] | {"evidence": None}}
        self.kept = mapped(state, lambda tensor: tensor.cpu())

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()

    def create(self, config: ResolvedConfig, about: dict[str, Any]) -> None:
        self.parts = config, about

    def config(self) -> ResolvedConfig:
        assert self.parts is not None
        return self.parts[0]

    def parameters(self) -> dict[str, Any]:
        """Returns the settings by name."""
        config = self.config()
        return {f.name: getattr(config, f.name) for f in fields(Config)}

    def about(self) -> dict[str, Any]:
        assert self.parts is not None
        return self.parts[1]

    def save(self, state: dict[str, Any]) -> None:
        self.kept = state

    def state(self) -> dict[str, Any]:
        assert self.kept is not None
        return self.kept

    def add_row(self, row: dict[str, Any]) -> None:
        self.lines.append(row)

    def rows(self) -> list[dict[str, Any]]:
        return self.lines


def mapped(state: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Returns the same containers with every tensor changed."""
    if isinstance(state, torch.Tensor):
        return change(state)
    if isinstance(state, dict):
        return {key: mapped(value, change) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(mapped(value, change) for value in state)
    return state
