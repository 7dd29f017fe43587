"""Commands load what they use: start-up is most of the time of short work."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {"torch", "pandas", "matplotlib", "scipy", "numba", "networkx", "jinja2", "jsonargparse", "numpy"}
SECONDS = 0.3  # of the processor

# what is typed in the folder of a small run, and which of the heavy packages it may load
LOADS = [
    (["--help"], set()),
    (["inspect", "springs.npz"], {"jsonargparse", "numpy"}),
    (["convert", "springs.npz", "new.npz"], {"jsonargparse", "numpy"}),
    (["export", "result", "--to", "csv", "--out", "new.csv"], {"jsonargparse", "numpy", "pandas"}),
    (["train", "--data", "springs.npz", "--epochs", "1", "--out", "new"], {"jsonargparse", "numpy", "torch", "scipy"}),
    (["evaluate", "run", "springs.npz"], {"jsonargparse", "numpy", "torch", "scipy"}),
    (["inspect", "springs.npz", "--baselines"], {"jsonargparse", "numpy", "scipy"}),
    (["infer", "run", "springs.npz", "--out", "new"], {"jsonargparse", "numpy", "torch", "pandas", "matplotlib"}),
]


@pytest.mark.parametrize(("words", "may"), LOADS, ids=[words[0] for words, _ in LOADS])
def test_commands_load_what_they_use(work, words, may):
    code = (
        "import json, sys\nfrom bouncegrad.app.cli import main\nassert main(sys.argv[1:]) == 0\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout.splitlines()[-1])) <= may


@pytest.mark.parametrize("words", [["-c", "import bouncegrad"], ["-m", "bouncegrad.app.cli", "--help"]])
def test_start_up_takes_a_moment(words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= SECONDS
