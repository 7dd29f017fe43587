"""The experiments of the 2018 paper: four algorithms on regression tasks."""

from __future__ import annotations

from pathlib import Path

PRESETS = {path.stem: path for path in sorted((Path(__file__).parent / "presets").glob("*.yaml"))}
"""Files of settings, by the name of the experiment."""
