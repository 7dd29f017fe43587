"""Damaged files of every format are read or refused in one line; no code in them runs, and memory does not grow."""

from __future__ import annotations

import resource
import shutil
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load
from bouncegrad.data.inspection import inspect

from ..measuring import HANG
from .corpus import corpus
from .mutations import lay, spoiled

GIGABYTE = 1e6  # in the kilobytes that the system counts in
CALM = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


def resident() -> float:
    """The largest resident memory of this process so far, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture(scope="module")
def cases():
    return corpus()


def test_all_of_the_corpus_is_read(cases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind, case in cases.items():
        lay(case, tmp_path)
        data = load(case.path, **case.options)
        assert data.shape[2] in (2, 3), kind
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("examples", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_files(cases, tmp_path, monkeypatch, examples):
    before, ends = resident(), Counter()

    @settings(CALM, max_examples=examples)
    @given(spoiled(cases))
    def check(found):
        kind, case = found
        folder = tmp_path / "case"
        folder.mkdir()
        monkeypatch.chdir(folder)
        try:
            lay(case, folder)
            begin = time.perf_counter()
            try:
                inspect(load(case.path, **case.options)).lines()
                ends[kind, "read"] += 1
            except InputError:
                ends[kind, "refused"] += 1
            assert time.perf_counter() - begin < HANG
            assert not (folder / "evil").exists()
            assert resident() - before < GIGABYTE, kind
        finally:
            monkeypatch.chdir(tmp_path)
            shutil.rmtree(folder)

    check()
    assert sum(ends.values()) >= examples / 2
