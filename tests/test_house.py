"""How the house is built: who may import whom, file sizes, and that importing costs and changes nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

import bouncegrad

HOME = Path(bouncegrad.__file__).parent
FILES = sorted(HOME.rglob("*.py"))
MOST_PARAMETERS = 8
# Which wings a wing may import; estimator.py stands beside app.
BELOW = {
    "data": set(),
    "results": {"data"},
    "core": {"data"},
    "settings": {"core", "results", "data"},
    "runs": {"settings", "core", "results", "data"},
    "models": {"runs", "settings", "core", "results", "data"},
    "fitting": {"models", "runs", "settings", "core", "results", "data"},
    "regression": {"models", "runs", "settings", "core", "results", "data"},
    "estimator": {"fitting", "models", "runs", "settings", "core", "results", "data"},
    "app": {
        "estimator",
        "fitting",
        "regression",
        "models",
        "runs",
        "settings",
        "core",
        "results",
        "data",
        "bouncegrad",
    },
}
WINGS = [wing for wing in BELOW if wing != "estimator"]

# Imports every module, and prints which shared state of the process has changed.
GLOBALS = """
import json, pkgutil, random, signal, importlib
import matplotlib, numpy, torch
import rich.progress  # draws from Python's generator when it is loaded; only the command line loads it, see below

def shared():
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "gradients": torch.is_grad_enabled(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": [part.tolist() if hasattr(part, "tolist") else part for part in numpy.random.get_state()],
        "numpy errors": numpy.geterr(),
        "python": random.getstate(),
        "figures": dict(matplotlib.rcParams),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    }

torch.manual_seed(1), numpy.random.seed(2), random.seed(3), torch.set_num_threads(2)
before = shared()
import bouncegrad
modules = [module.name for module in pkgutil.walk_packages(bouncegrad.__path__, "bouncegrad.")]
for name in modules:
    importlib.import_module(name)
for name in bouncegrad.__all__:
    getattr(bouncegrad, name)
after = shared()
print(json.dumps([len(modules), [name for name in before if before[name] != after[name]]]))
"""


def imported(file: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it, imports for typing included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "bouncegrad"}


def wings(file: Path) -> set[str]:
    """The wings that a file imports; `bouncegrad` stands for the package itself."""
    parts = [name.split(".") for name in imported(file)]
    return {part[1] if len(part) > 1 and part[1] in BELOW else "bouncegrad" for part in parts}


def import_graph(home: Path) -> nx.DiGraph:
    """Files of a package, and an arrow from each file to those that it imports."""
    files = {
        ".".join(("bouncegrad", *file.relative_to(home).with_suffix("").parts)): file for file in home.rglob("*.py")
    }
    files = {name.removesuffix(".__init__"): file for name, file in files.items()}
    graph = nx.DiGraph()
    graph.add_nodes_from(files)
    for name, file in files.items():
        for target in imported(file):
            found = target if target in files else target.rpartition(".")[0]
            if found in files and found != name:
                graph.add_edge(name, found)
    return graph


def loaded_by(code: str) -> set[str]:
    """The top-level modules in memory after some code in a fresh interpreter."""
    code += "\nimport sys\nprint(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("wing", WINGS)
def test_imports_go_one_way(wing):
    files = [file for file in FILES if file.relative_to(HOME).parts[0] == wing]
    assert len(files) > 3
    wrong = {file.name: extra for file in files if (extra := wings(file) - BELOW[wing] - {wing})}
    assert not wrong


def test_the_estimator_imports_what_is_below_it():
    assert wings(HOME / "estimator.py") <= BELOW["estimator"]


def test_the_direction_test_sees_imports_inside_functions(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def f():\n    from bouncegrad.runs.folder import Run\n    import bouncegrad.core.search\n")
    assert wings(file) == {"runs", "core"}


def test_no_two_files_import_each_other_in_a_circle():
    circles = [sorted(group) for group in nx.strongly_connected_components(import_graph(HOME)) if len(group) > 1]
    assert circles == []


def test_the_circle_test_sees_imports_for_typing(tmp_path):
    (tmp_path / "a.py").write_text("from bouncegrad.b import f\n")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from bouncegrad import a\n")
    (tmp_path / "c.py").write_text("import bouncegrad.a\n")
    groups = nx.strongly_connected_components(import_graph(tmp_path))
    assert [sorted(group) for group in groups if len(group) > 1] == [["bouncegrad.a", "bouncegrad.b"]]


def test_every_file_belongs_to_a_wing():
    assert {file.relative_to(HOME).parts[0] for file in FILES} == {*WINGS, "estimator.py", "__init__.py", "__main__.py"}


def test_no_function_has_more_than_eight_parameters():
    found = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                given = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                count = len(given) - (given[:1] in (["self"], ["cls"]))
                found[f"{file.relative_to(HOME)}: {node.name}"] = count
    assert {name: count for name, count in found.items() if count > MOST_PARAMETERS} == {}


def test_files_stay_readable():
    lines = {str(file.relative_to(HOME)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: count for name, count in lines.items() if count > 400} == {}
    assert lines["fitting/stages.py"] <= 200
    assert not [file for file in FILES if file.stem in ("utils", "helpers", "misc", "common")]


def test_only_the_app_prints_and_parses():
    for file in FILES:
        if file.relative_to(HOME).parts[0] == "app":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            assert called not in ("print", "input"), f"{file}, line {node.lineno}"
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"argparse", "jsonargparse", "rich"} & {name.split(".")[0] for name in names}, file


HEAVY = {"torch", "numpy", "pandas", "matplotlib", "scipy", "numba", "networkx", "jinja2", "jsonargparse"}


@pytest.mark.parametrize("words", [None, [], ["--help"], ["--version"], ["no such command"]])
def test_the_package_and_its_help_load_nothing_heavy(words):
    code = "import bouncegrad" if words is None else f"from bouncegrad.app.cli import main; main({words!r})"
    assert not loaded_by(code) & HEAVY


def test_help_of_every_command_loads_neither_torch_nor_figures():
    code = "from bouncegrad.app.cli import COMMANDS, main\nfor name in COMMANDS: assert main([name, '--help']) == 0"
    assert not loaded_by(code) & {"torch", "pandas", "matplotlib", "numba", "scipy", "networkx"}


def test_importing_every_module_changes_nothing_shared():
    """Users reported that importing a package changed the default device of tensors."""
    done = subprocess.run([sys.executable, "-c", GLOBALS], capture_output=True, text=True, check=True)
    modules, changed = json.loads(done.stdout)
    assert modules > 60
    assert changed == []


def test_the_library_loads_no_terminal_code():
    """Rich, which the command line needs, draws from Python's shared generator."""
    names = "RelationalInference, Result, Trajectories, edge_index, load, save, simulate"
    assert not loaded_by(f"from bouncegrad import {names}") & {"rich", "jsonargparse"}


def test_public_names_are_there_and_others_are_not():
    for name in bouncegrad.__all__:
        assert getattr(bouncegrad, name).__name__ == name
    assert set(bouncegrad.__all__) <= set(dir(bouncegrad))
    with pytest.raises(AttributeError, match="nothing"):
        bouncegrad.nothing  # noqa: B018


def test_warnings_of_any_module_of_the_package_are_errors():
    with pytest.raises(UserWarning, match="made up"):
        exec("import warnings; warnings.warn('made up')", {"__name__": "bouncegrad.core.made_up"})
