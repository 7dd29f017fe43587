"""Commands load what they use: start-up is most of the time of short work."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "pandas", "matplotlib", "scipy", "numba", "networkx", "jinja2", "jsonargparse", "numpy"}
# packages that are loaded only when one of their files or objects comes
OPTIONAL = {
    "h5py",
    "pyarrow",
    "polars",
    "xarray",
    "sleap_io",
    "kloppy",
    "sklearn",
    "IPython",
    "tables",
    "torch_geometric",
}
MOST_MODULES = 60  # that may be loaded besides those of a bare interpreter

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
    assert (HEAVY | OPTIONAL) & set(json.loads(done.stdout.splitlines()[-1])) <= may


@pytest.mark.parametrize("code", ["import bouncegrad", "from bouncegrad.app.cli import main\nmain(['--help'])"])
def test_start_up_loads_few_modules(code):
    assert modules(code) - modules("") <= MOST_MODULES


def test_the_package_with_all_its_readers_loads_no_package_of_their_objects():
    code = "import bouncegrad, sys\nfor name in bouncegrad.__all__: getattr(bouncegrad, name)"
    code += "\nimport bouncegrad.data.formats\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not OPTIONAL & set(done.stdout.split())


def test_help_of_every_command_loads_a_part_of_what_work_loads(work):
    """The screens of all commands together load fewer modules than one command that trains."""
    screens = "from bouncegrad.app.cli import COMMANDS, main\nfor name in COMMANDS: main([name, '--help-all'])"
    train = "from bouncegrad.app.cli import main\nmain('train --data springs.npz --epochs 1 --out new'.split())"
    assert modules(screens) < modules(train) / 2


def modules(code: str) -> int:
    """Counts the modules in memory after some code in a fresh interpreter."""
    code += "\nimport sys\nprint(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])
