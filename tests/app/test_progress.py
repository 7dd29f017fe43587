"""Progress on a terminal: phase, rate, loss, accuracy where it is known, time left; nothing without a terminal."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.progress import BarColumn

from bouncegrad.app.progress import bar, fitting, training_numbers

ROW = {"temperature": 3.5, "loss": -1.25, "edge_accuracy": 0.9, "tasks_per_second": 12345.6}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_row_in_words() -> None:
    assert training_numbers(ROW) == "cooling  T 3.5  loss -1.250  accuracy 0.900  12,346 tasks/s"
    assert training_numbers(ROW | {"temperature": 1.0}).startswith("settling  T 1  ")
    unknown = ROW | {"temperature": None, "edge_accuracy": None, "tasks_per_second": None}
    assert training_numbers(unknown) == "mixing  loss -1.250"
    second = {"stage": "forecast", "steps_ahead": 8, "forecast_loss": 0.5}
    assert training_numbers(second) == "forecasting 8 ahead  loss 0.500"


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_bar_is_for_terminals(stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", stream)
    with bar("training") as show:
        show(0.4, training_numbers(ROW))
    written = stream.getvalue()
    parts = ("training", "40%", "--:--", "cooling", "accuracy 0.900", "tasks/s")
    assert all(part in written for part in parts) if shown else written == ""


def shown_at(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The last state of a bar on a terminal of this width."""
    stream = Terminal()
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stderr", stream)
    with bar("training") as show:
        show(0.4, training_numbers(ROW))
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()))
    return [line for line in lines if "40%" in line][-1]


@pytest.mark.parametrize("width", range(14, 121))
def test_no_word_is_cut_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    line = shown_at(width, monkeypatch)
    assert len(line) <= width
    words = re.sub("[━╸╺]+", "", line).split()
    whole = f"training 40% --:-- {training_numbers(ROW)}".split()
    assert words == whole[: len(words)]


def test_what_gives_way_first() -> None:
    for label in ("training", "choosing edge types"):
        kept = [fitting(width, label, training_numbers(ROW)) for width in range(20, 121)]
        assert [len(numbers) for _, numbers in kept] == sorted(len(numbers) for _, numbers in kept)
    columns, numbers = fitting(120, "training", training_numbers(ROW))
    assert (len(columns), numbers) == (5, training_numbers(ROW))
    columns, numbers = fitting(82, "training", training_numbers(ROW))
    assert numbers == training_numbers(ROW)
    assert not any(isinstance(column, BarColumn) for column in columns)
