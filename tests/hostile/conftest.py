"""Tests see one gigabyte of free memory, so that any machine refuses what claims more."""

from __future__ import annotations

import pytest

from bouncegrad.data import memory
from bouncegrad.settings import memory as of_models


@pytest.fixture(autouse=True)
def a_gigabyte(monkeypatch):
    for module in (memory, of_models):
        monkeypatch.setattr(module, "free_bytes", lambda: 1e9)
