"""A run that is killed at random times and resumed equals an unbroken one, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = pytest.mark.slow
KILLS = [
    *(("springs", 2), ("functions", 1)),
    *(
        pytest.param(kind, kills, marks=SLOW)
        for kind, kills in {"springs": 80, "paper": 40, "sines": 40, "functions": 40}.items()
    ),
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(("kind", "kills"), KILLS)
def test_killed_runs_equal_the_unbroken_one(kind, kills):
    """`killing.py` runs in its own process, which loads torch once and forks before any thread starts."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    words = [sys.executable, "-m", "tests.fitting.killing", kind, str(kills), "1"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment | {"OMP_NUM_THREADS": "1"}, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["killed"] >= kills
