"""Full disks, folders that cannot be written, changed data and other versions: a message of one line, no loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bouncegrad.data import files
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import is_remains, remove_remains, replacing
from bouncegrad.data.formats import load, save
from bouncegrad.fitting.recorder import Recording
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import FORMAT

from ..comparing import assert_same_runs
from ..measuring import HANG
from ..refusals import assert_refused, snapshot

resource = pytest.importorskip("resource", reason="this system knows no limits of a process")
PROGRAM = [sys.executable, "-m", "bouncegrad.app.cli"]
TRAIN = ["train", "--data", "springs.npz", "--threads", "1"]
RESUME = ["train", "--resume", "--data", "springs.npz", "--out"]


def within(size: int, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs the real program with a limit on the size of files, which acts like a full disk."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
    return subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, preexec_fn=limit)


def assert_one_line(done: subprocess.CompletedProcess[str], *says: str) -> None:
    assert done.returncode == 2, done
    assert (done.stderr.count("\n"), done.stderr.count("; ")) == (1, 1), done.stderr
    for part in says:
        assert part in done.stderr


def test_a_full_disk_before_the_first_checkpoint(command, work):
    line = [*TRAIN, "--epochs", "2", "--out", "new"]
    assert_one_line(within(8000, *line), "new/checkpoint.pt: writing failed (File too large)", "free some space")
    assert sorted(path.name for path in Path("new").iterdir()) == ["config.yaml", "data.json"]
    assert_refused(command, ["infer", "new", "springs.npz", "--out", "r"], "killed before it began", "leave --resume")
    assert command(*line).status == 0


def test_a_full_disk_later_leaves_the_checkpoint(command, work, monkeypatch):
    monkeypatch.setattr("bouncegrad.fitting.recorder.RECORDING", Recording(visits_a_row=1))
    asked = iter([False] * 8)
    monkeypatch.setattr("bouncegrad.app.training.stop_signal", lambda: Stopped(asked))
    assert command(*TRAIN, "--epochs", "16", "--out", "new").status == 130
    monkeypatch.undo()
    os.chdir(work)
    before = Run("new").state()["schedule"]["epoch"]
    assert_one_line(within(4000, *RESUME, "new"), "writing failed (File too large)")
    assert Run("new").state()["schedule"]["epoch"] == before
    assert not [path for path in Path("new").iterdir() if is_remains(path)]
    assert command(*RESUME, "new").status == 0
    assert Run("new").state()["schedule"]["progress"] == 1


class Stopped:
    """Replaces the check for Ctrl-C: it was pressed once `asked` is at its end."""

    def __init__(self, asked):
        self.asked = asked

    def __enter__(self):
        return lambda: next(self.asked, True)

    def __exit__(self, *_):
        return None


def test_a_row_that_cannot_be_written_names_its_file(command, work, monkeypatch):
    Path("run/metrics.jsonl").unlink()
    Path("run/metrics.jsonl").mkdir()
    with pytest.raises(InputError, match=r"metrics.jsonl: writing failed \(Is a directory\); make room"):
        Run("run").add_row({"epoch": 1})


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(files.os, "fsync", lambda handle: seen.append((tmp_path / "a").read_text()))
    (tmp_path / "a").write_text("old")
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert (seen, (tmp_path / "a").read_text()) == (["old"], "new")


def test_remains_of_killed_processes_are_known_and_removed(tmp_path):
    for name in ("checkpoint.pt", "config.yaml", "edges", ".hidden", ".hidden.json", "a.b.c"):
        with replacing(tmp_path / name) as temporary:
            assert is_remains(temporary)
            temporary.write_text("half")
            temporary.with_name(temporary.name)
        assert not is_remains(tmp_path / name)
    half = tmp_path / ".checkpoint.pt.abcd1234.pt"
    half.write_text("half")
    remove_remains(tmp_path)
    assert not half.exists()
    assert len(list(tmp_path.iterdir())) == 6


def test_a_run_goes_on_from_before_its_first_checkpoint(command, work):
    """The folder is as a process leaves it that is killed between writing the settings and the first checkpoint."""
    assert command(*TRAIN, "--epochs", "2", "--out", "whole").status == 0
    for removed in (["checkpoint.pt"], ["checkpoint.pt", "config.yaml"]):
        assert command(*TRAIN, "--epochs", "2", "--out", "new").status == 0
        for name in (*removed, "metrics.jsonl"):
            Path("new", name).unlink()
        Path("new/.checkpoint.pt.abcd1234.pt").write_bytes(b"half")
        if len(removed) == 1:
            assert command(*RESUME, "new").status == 0
        else:
            assert_refused(command, [*RESUME, "new"], "killed before it began; leave --resume out")
            assert command(*TRAIN, "--epochs", "2", "--out", "new").status == 0
        assert_same_runs(Run("new"), Run("whole"))
        assert {path.name for path in Path("new").iterdir()} == {path.name for path in Path("whole").iterdir()}
        for path in Path("new").iterdir():
            path.unlink()


def test_data_that_changed_since(command, work, springs):
    """A change of the states is refused, and so is a change of their meaning."""
    mask = np.ones(springs.shape[:3], bool)
    mask[0, 3, 1] = False
    for change, says in (
        ({"dt": 0.2}, "its dt changed"),
        ({"features": ("x", "y", "u", "v")}, "its features changed"),
        ({"entities": ("c", "b", "a")}, "its entities changed"),
        ({"mask": mask}, "its mask changed"),
    ):
        save(replace(springs, **change), "springs.npz")
        assert_refused(command, [*RESUME, "run"], f"springs.npz: {says} since run was begun; give the data as it was")


def test_known_edges_that_changed_since(command, work):
    known = Path("known.csv")
    known.write_text("task,source,target,type\n0,0,1,1\n")
    line = [*TRAIN, "--epochs", "2", "--holdout", "0", "--known", "known.csv"]
    assert command(*line, "--out", "new").status == 0
    assert command(*RESUME, "new").status == 0
    known.write_text("task,source,target,type\n0,0,1,0\n")
    assert_refused(command, [*RESUME, "new"], "was begun with other known edges; give the same")


def test_a_command_that_is_terminated_leaves_nothing_half_written(work, monkeypatch):
    program = (
        "import sys, time, numpy, bouncegrad.data.formats.arrays as arrays\n"
        "from bouncegrad.app.cli import main\n"
        "def slow(*_, **__): print('writing', flush=True); time.sleep(600)\n"
        "arrays.np.lib.format.write_array = slow\n"
        "sys.exit(main(['convert', 'named.csv', 'new.npz']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "writing\n"
    before = {path for path in snapshot(Path.cwd()) if ".new.npz" in path}
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=HANG)
    assert (process.returncode, err, len(before)) == (130, "bouncegrad: interrupted\n", 1)
    assert not [path for path in Path.cwd().iterdir() if "new.npz" in path.name]


def test_every_file_says_its_format(command, work):
    assert command("convert", "springs.npz", "copy.npz").status == 0
    assert np.load("copy.npz")["format_version"] == 1
    assert np.load("result/result.npz")["format_version"] == 1
    assert json.loads(Path("run/data.json").read_text())["format"] == FORMAT
    assert torch.load("run/checkpoint.pt", weights_only=True)["format"] == FORMAT
    assert Path("run/config.yaml").read_text().startswith(f"# settings of a run of bouncegrad, format {FORMAT}\n")
    assert {json.loads(line)["format"] for line in Path("run/metrics.jsonl").read_text().splitlines()} == {1}


@pytest.mark.parametrize("name", ["config.yaml", "data.json", "metrics.jsonl"])
def test_files_of_newer_and_older_versions(command, work, name):
    path = Path("run") / name
    text, old = path.read_text(), f"format {FORMAT}" if name == "config.yaml" else f'"format": {FORMAT}'
    if name == "metrics.jsonl":
        old = '"format": 1'
    assert old in text
    for version, says in ((9, "has format 9, this version reads 3; update bouncegrad"), (2, "format 2")):
        path.write_text(text.replace(old, old[:-1] + str(version)))
        says = f"has rows of format {version}" if name == "metrics.jsonl" else says
        assert_refused(command, [*RESUME, "run"], name, says)
    # Files of the first versions have no format; they are read as the present one.
    if name != "data.json":
        path.write_text(text.replace(old, "") if name == "config.yaml" else text.replace('"format": 1, ', ""))
        assert command(*RESUME, "run").status == 0
        assert command("report", "run").status == 0


def test_settings_of_a_run_are_taken_again(command, work):
    assert command(*TRAIN, "--config", "run/config.yaml", "--epochs", "1", "--out", "new").status == 0
    assert Run("new").config().epochs == 1


def test_sigterm_saves(work):
    words = [*PROGRAM, *TRAIN, "--epochs", "3000", "--out", "new"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not Run("new").rows() and process.poll() is None:
        time.sleep(0.01)
    process.terminate()
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, err) == (130, "")
    assert "stopped; go on with: bouncegrad train --resume" in out
    assert Run("new").state()["schedule"]["epoch"] > 0


def test_own_files_of_a_newer_version(command, work):
    np.savez("newer.npz", x=load("springs.npz").x, format_version=2)
    assert_refused(command, ["inspect", "newer.npz"], "format_version 2 is newer than 1; update bouncegrad")
