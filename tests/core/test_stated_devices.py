"""Every tensor of core is made on a stated device."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bouncegrad.core

FACTORIES = {
    *("arange", "linspace", "logspace", "eye", "triu_indices", "tril_indices"),
    *("empty", "zeros", "ones", "full", "tensor", "as_tensor", "asarray", "scalar_tensor"),
    *("rand", "randn", "randint", "randperm", "normal"),
}
"""Functions of torch that make a tensor on the default device if no device is given."""

WITHOUT = {
    "batches.py: scaled_tracks": 2,  # recordings are arrays, which have no device
    "streaming.py: __getitem__": 1,  # the same
    "distributed.py: total": 1,  # sums of numbers
}
"""Functions that make tensors without a device, how many, and the reason."""


def without_device(file: Path) -> Iterator[str]:
    """Yields the innermost function of every call of a factory that states no device."""

    def visit(node: ast.AST, function: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            called = child.func if isinstance(child, ast.Call) else None
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "torch":
                assert isinstance(child, ast.Call)
                stated = [word for word in child.keywords if word.arg == "device"]
                nothing = not stated or (isinstance(stated[0].value, ast.Constant) and stated[0].value.value is None)
                if called.attr in FACTORIES and nothing:
                    yield f"{file.name}: {function}"
            inside = isinstance(child, ast.FunctionDef | ast.ClassDef)
            yield from visit(child, child.name if inside else function)

    yield from visit(ast.parse(file.read_text()), "module")


def test_every_tensor_is_made_on_a_stated_device():
    files = sorted(Path(bouncegrad.core.__path__[0]).rglob("*.py"))
    assert len(files) > 30
    found = [place for file in files for place in without_device(file)]
    assert {place: found.count(place) for place in found} == WITHOUT


def test_the_test_of_devices_sees_what_is_missing(tmp_path):
    file = tmp_path / "a.py"
    file.write_text(
        "import torch\nX = torch.zeros(3)\ndef f(x):\n    y = torch.ones(2, device=x.device)\n"
        "    return y + torch.arange(2, device=None) + torch.zeros_like(x) + g(torch.randn(2, generator=x))\n"
    )
    assert sorted(without_device(file)) == ["a.py: f", "a.py: f", "a.py: module"]
