"""Missing, damaged, foreign or unfit run folders and results are refused in one line; no code in them runs."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import FORMAT

from ..refusals import assert_refused

CHECKPOINT, CONFIG, DATA = Path("run/checkpoint.pt"), Path("run/config.yaml"), Path("run/data.json")
COMMANDS = {
    "infer": ["infer", "run", "springs.npz", "--out", "new"],
    "evaluate": ["evaluate", "run", "springs.npz"],
    "report": ["report", "run"],
    "resume": ["train", "--resume", "--data", "springs.npz", "--out", "run"],
}
DAMAGED = "checkpoint.pt: is no checkpoint of bouncegrad or is damaged; train again"
UNFIT = "run: config.yaml, data.json and checkpoint.pt do not fit each other; restore them or train again"


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch evil",)


def state(edit: Callable[[dict], object]) -> None:
    found = Run("run").state()
    edit(found)
    torch.save(found, CHECKPOINT)


def about(edit: Callable[[dict], object]) -> None:
    found = json.loads(DATA.read_text())
    edit(found)
    DATA.write_text(json.dumps(found))


def setting(**changes: object) -> None:
    CONFIG.write_text(yaml.safe_dump(yaml.safe_load(CONFIG.read_text()) | changes))


# what happened to the run folder, what the message must say
DAMAGE = {
    "no checkpoint": (CHECKPOINT.unlink, "run: is no run folder, checkpoint.pt is missing"),
    "no settings": (CONFIG.unlink, "run: is no run folder, config.yaml is missing"),
    "no data": (DATA.unlink, "run: is no run folder, data.json is missing"),
    "checkpoint cut": (lambda: CHECKPOINT.write_bytes(CHECKPOINT.read_bytes()[:1000]), DAMAGED),
    "checkpoint empty": (lambda: CHECKPOINT.write_bytes(b""), DAMAGED),
    "checkpoint text": (lambda: CHECKPOINT.write_text("hello"), DAMAGED),
    "checkpoint a list": (lambda: torch.save([1], CHECKPOINT), DAMAGED),
    "checkpoint with code": (lambda: torch.save({"format": 1, "composition": Evil()}, CHECKPOINT), DAMAGED),
    "checkpoint a pickle": (lambda: CHECKPOINT.write_bytes(pickle.dumps(Evil())), DAMAGED),
    "format a word": (lambda: state(lambda found: found.update(format="new")), DAMAGED),
    "newer format": (lambda: state(lambda found: found.update(format=9)), f"has format 9, this version reads {FORMAT}"),
    "older format": (lambda: state(lambda found: found.update(format=1)), "has format 1 of an older version"),
    "checkpoint lacks modules": (lambda: state(lambda found: found.pop("composition")), UNFIT),
    "other shapes": (lambda: state(lambda found: found["composition"].update(change=torch.zeros(3))), UNFIT),
    "settings empty": (lambda: CONFIG.write_text(""), "config.yaml: is damaged; restore it or train again"),
    "settings a word": (lambda: CONFIG.write_text("hello"), "config.yaml: is damaged"),
    "settings a list": (lambda: CONFIG.write_text("- 1"), "config.yaml: is damaged"),
    "settings no YAML": (lambda: CONFIG.write_text("edge_types: ["), "config.yaml: is damaged"),
    "settings binary": (lambda: CONFIG.write_bytes(b"\xff\xfe\x00"), "config.yaml: is damaged"),
    "unknown setting": (lambda: setting(foo=1), "config.yaml: unknown setting 'foo'; known are activation, annealer"),
    "setting a word": (lambda: setting(edge_types="x"), "config.yaml: setting edge_types: 'x' cannot be used"),
    "setting null": (lambda: setting(message=None), "config.yaml: setting message: None cannot be used"),
    "setting out of range": (lambda: setting(epochs=-3), "config.yaml: setting epochs: -3 cannot be used"),
    "setting unknown word": (
        lambda: setting(activation="tanh"),
        "setting activation: 'tanh' cannot be used",
    ),
    "other sizes": (lambda: setting(edge_types=3), UNFIT),
    "data empty": (lambda: DATA.write_text(""), "data.json: is damaged; restore it or train again"),
    "data a list": (lambda: DATA.write_text("[]"), "data.json: is damaged"),
    "data binary": (lambda: DATA.write_bytes(b"\xff\xfe\x00"), "data.json: is damaged"),
    "data lacks scaling": (lambda: about(lambda found: found.pop("scaling")), "data.json: 'scaling' is missing"),
    "data without shape": (
        lambda: about(lambda found: found.update(shape=3)),
        "'shape' is missing or wrong; restore",
    ),
    "data read with what is no option": (
        lambda: about(lambda found: found["read"].update(grou=None)),
        "'read' is missing",
    ),
    "data read with a word for a number": (
        lambda: about(lambda found: found["read"].update(time_step="x")),
        "'read' is",
    ),
}


@pytest.mark.parametrize("command_name", COMMANDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_runs(command, work, recwarn, damage, command_name):
    spoil, says = DAMAGE[damage]
    spoil()
    assert_refused(command, COMMANDS[command_name], says)
    assert not Path("evil").exists()
    assert not recwarn.list


@pytest.mark.parametrize("command_name", ["infer", "evaluate", "report"])
@pytest.mark.parametrize(
    "wrong",
    [{"scale": ["x"] * 4}, {"scale": [1.0] * 3}, {"low": None}, {"more": []}],
    ids=["words", "too few", "null", "unknown"],
)
def test_a_scaling_that_does_not_fit(command, work, command_name, wrong):
    about(lambda found: found["scaling"].update(wrong))
    assert_refused(command, COMMANDS[command_name], UNFIT)


@pytest.mark.parametrize("name", ["none", "springs.npz", "result", "."])
def test_what_is_no_run_folder(command, work, name):
    lines = [["infer", name, "springs.npz", "--out", "new"], ["evaluate", name, "springs.npz"]]
    for line in [*lines, *([["report", name]] if name != "result" else [])]:  # `report` takes a result
        assert_refused(command, line, f"{Path(name)}: is no run folder", "give the --out of `bouncegrad train`")
    line = ["train", "--resume", "--data", "springs.npz", "--out", name]
    assert_refused(command, line, f"{Path(name)}: is no run folder")


def test_held_out_tasks_that_are_not_there(command, work):
    about(lambda found: found.update(held_out=[99]))
    assert_refused(command, COMMANDS["evaluate"], UNFIT)


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"3\n[]\n", b"{}\n", b""])
def test_a_run_without_usable_metrics_still_serves(command, work, text):
    Path("run/metrics.jsonl").write_bytes(text)
    for line in COMMANDS.values():
        assert command(*line).status == 0


def test_resume_with_other_data(command, work):
    save(simulate("springs", 24, entities=3, frames=30, seed=5), "other.npz")
    save(simulate("springs", 3, entities=3, frames=30), "fewer.npz")
    for name in ("other.npz", "fewer.npz"):
        line = ["train", "--resume", "--data", name, "--out", "run"]
        assert_refused(command, line, f"{name}: is not the data that run was trained on", "give the same data")


@pytest.mark.parametrize("option", ["--epochs 9", "--edge_types 3", "--minutes 1", "--search paper", "--batch 7"])
def test_resume_with_other_settings(command, work, option):
    name, value = option.removeprefix("--").split()
    says = [f"option {name}: ", value, "but run has", "leave it out"]
    if name == "minutes":
        says = ["option minutes: 1.0"]
    assert_refused(command, [*COMMANDS["resume"], *option.split()], *says)


def test_resume_with_the_same_settings(command, work):
    assert command(*COMMANDS["resume"], "--epochs", 20, "--threads", 1).status == 0


def test_a_run_whose_data_is_gone(command, work):
    Path("springs.npz").unlink()
    assert_refused(command, ["report", "run"], "springs.npz: no such file")
    assert command("report", "run", "--data", "named.csv").status == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: None, ["other.npz: no such file", "run `bouncegrad infer`"]),
        (lambda: Path("other.npz").write_bytes(b""), ["other.npz: not a result file"]),
        (lambda: Path("other.npz").write_text("hello"), ["other.npz: not a result file"]),
        (lambda: Path("other.npz").write_bytes(Path("result/result.npz").read_bytes()[:300]), ["not a result file"]),
        (lambda: np.savez("other.npz", format_version=1, edges=np.array([{}], dtype=object)), ["not a result file"]),
        (lambda: np.savez("other.npz", x=np.zeros(3)), ["not a result file"]),
        (lambda: save(simulate("springs", 2), "other.npz"), ["not a result file"]),
        (lambda: np.savez("other.npz", format_version=9), ["result format 9, this version reads up to 1"]),
    ],
)
def test_what_is_no_result(command, work, make, says):
    make()
    for kind in ("csv", "graphml"):
        assert_refused(command, ["export", "other.npz", "--to", kind], *says)


def test_folders_without_a_result(command, work):
    for folder in ("none", "run"):
        assert_refused(command, ["export", folder, "--to", "csv"], folder, "no such file")
