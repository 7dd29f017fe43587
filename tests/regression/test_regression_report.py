"""`bouncegrad report` for runs on regression tasks: the four errors, curves, new tasks before and after adaptation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bouncegrad.regression.reporting import MEAN, four_numbers, new_fits
from bouncegrad.regression.run import opened
from bouncegrad.results.numbers import written
from bouncegrad.results.plots_functions import function_fit
from bouncegrad.results.style import figure

from ..refusals import assert_refused
from ..results.test_report_page import Page

SHORT = ["--meta-steps", "4", "--search-steps", "2", "--tasks", "20", "--hidden", "[8-8]"]


@pytest.fixture
def run(command, tmp_path, monkeypatch):
    """Trains one of the named experiments for a few steps, in an empty current folder."""
    monkeypatch.chdir(tmp_path)

    def trained(name: str) -> Path:
        assert command("train", "--preset", name, "--out", "r", *SHORT).status == 0
        return Path("r")

    return trained


@pytest.mark.parametrize("name", ["sines-moma", "functions-pooled"])
def test_the_page_has_the_four_errors_curves_and_tasks(command, run, name):
    folder = run(name)
    assert command("report", folder) == (0, "wrote r/report.html and r/curves.png\n", "")
    page = Page((folder / "report.html").read_text())
    assert [section["id"] for section in page.all("section")] == ["run", "tasks", "numbers", "training"]
    errors = json.loads((folder / "errors.json").read_text())
    for key in ("mse_training_fitted", "mse_training_held_out", "mse_new_fitted", "mse_new_held_out"):
        assert key.replace("_", " ") in page.text
        assert written(errors[key]) in page.text
    curves = 1 if name == "functions-pooled" else 3  # without a search there is no acceptance and no temperature
    tasks = min(len(opened(folder).z[1]), 6)
    assert len(page.all("svg")) == 2 * curves + tasks
    assert page.text.count("Error at held-out points") == tasks
    assert ("before adaptation" in page.text) == (name == "sines-moma")
    assert "graph" not in page.text
    assert "edge" not in page.text
    assert command("report", folder, "--out", "a/b.html").out == "wrote a/b.html and a/curves.png\n"


def test_errors_are_computed_from_the_fits(run):
    done = opened(run("sines-moma"))
    fits = new_fits(done)
    errors = {number.name: number for number in four_numbers(done)}
    found = errors["mse new held out"]
    assert np.mean([fit.error_after for fit in fits]) == pytest.approx(found.value, rel=1e-5)
    constant = [((fit.held_out[:, 1] - fit.fitted[:, 1].mean()) ** 2).mean() for fit in fits]
    assert found.baselines[MEAN] == pytest.approx(np.mean(constant), rel=1e-5)
    assert len(fits[0].fitted) == len(fits[0].held_out) == 10
    assert np.ptp([fit.before for fit in fits], axis=0).max() > 0  # random structures
    drawn = function_fit(fits[0], figure(3, 2)[1])
    np.testing.assert_array_equal(drawn.lines[2].get_xydata(), fits[0].fitted)
    np.testing.assert_array_equal(drawn.lines[3].get_xydata(), fits[0].held_out)


def test_held_out_points_do_not_change_what_is_drawn(run):
    done = opened(run("sines-maml"))
    new = done.visits[1]
    judged = new.judged._replace(y=torch.zeros_like(new.judged.y))
    other = done._replace(visits=(done.visits[0], new._replace(judged=judged)))
    for one, two in zip(new_fits(done), new_fits(other), strict=True):
        np.testing.assert_array_equal(one.after, two.after)


def test_an_unfinished_or_damaged_run_has_no_page(command, run):
    folder = run("sines-maml")
    (folder / "modules.pt").write_bytes(b"no")
    assert_refused(command, ["report", folder], "damaged or do not fit")
    (folder / "checkpoint.pt").write_bytes(b"")
    assert_refused(command, ["report", folder], "was stopped before its end")
