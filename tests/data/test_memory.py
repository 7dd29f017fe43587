"""How much memory is free: by the machine, by a container's limit, by the limit of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bouncegrad.data import memory
from bouncegrad.data.memory import free_bytes, of_container, of_machine


def group(folder, limit: str, used: int = 700, cached: int = 200):
    """The files of a control group."""
    texts = {"memory.max": limit, "memory.current": str(used), "memory.stat": f"anon 500\ninactive_file {cached}\n"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(("limit", "left"), [("1000\n", 500.0), ("300", 0.0), ("max\n", None), ("", None)])
def test_a_container_has_what_its_limit_leaves(tmp_path, limit, left):
    assert of_container(group(tmp_path, limit)) == left
    assert of_container(tmp_path / "none") is None


def test_the_least_of_them_counts(monkeypatch):
    for name, left in (("of_machine", 3e9), ("of_container", None), ("of_process", 2e9)):
        monkeypatch.setattr(memory, name, lambda left=left: left)
    assert free_bytes() == 2e9
    for name in ("of_machine", "of_process"):
        monkeypatch.setattr(memory, name, lambda: None)
    assert free_bytes() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells it in another way")
def test_a_process_has_what_ulimit_leaves():
    assert 1e6 < of_machine() < 1e15
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))\n"
        "from bouncegrad.data.memory import free_bytes, of_process; print(of_process(), free_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    left, free = map(float, done.stdout.split())
    assert 5e8 < left < 2e9
    assert 0 < free <= left
