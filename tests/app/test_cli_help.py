"""Help, version, presets, settings files, and the forms in which an option may be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import bouncegrad
from bouncegrad.app.cli import COMMANDS, with_underscores
from bouncegrad.settings.config import PRESETS, Config, preset

NAMED = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def settings(found) -> dict:
    assert found.status == 0
    assert found.err == ""
    return yaml.safe_load(found.out)


def test_overview_names_every_command_and_what_it_does(command):
    found = command("--help")
    assert found.status == 0
    assert found == command() == command("-h")
    for name, about in COMMANDS.items():
        assert f"{name:<8}" in found.out
        assert about in found.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(command, name):
    found = command(name, "--help")
    assert found.status == 0
    assert found.err == ""
    assert found.out.startswith(f"usage: bouncegrad {name} ")
    assert COMMANDS[name][1:] in " ".join(found.out.split())


def test_help_of_train_explains_every_setting(command):
    out = command("train", "--help").out
    for name in Config.__dataclass_fields__:
        assert f"  --{name} " in out


def test_version(command):
    assert command("--version") == (0, f"bouncegrad {bouncegrad.__version__}\n", "")


def test_the_defaults_are_printed_and_read_back(command, tmp_path):
    printed = command("train", "--print_config").out
    (tmp_path / "c.yaml").write_text(printed)
    assert command("train", "--config", tmp_path / "c.yaml", "--print_config").out == printed
    values = yaml.safe_load(printed)
    fields = Config.__dataclass_fields__
    assert Config.from_mapping({name: values[name] for name in fields}, "printed") == Config()


@pytest.mark.parametrize("name", NAMED)
def test_every_preset_is_what_its_file_says(command, name):
    stated = yaml.safe_load(preset(name).read_text())
    assert stated
    resolved = Config.from_mapping(stated, name).resolve((100, 49, 5, 4))
    assert None not in (resolved.annealer, resolved.temperature, resolved.loss, resolved.steps, resolved.segments)
    printed = settings(command("train", "--preset", name, "--print_config"))
    defaults = settings(command("train", "--print_config"))
    assert printed == defaults | stated


def test_presets_are_named():
    assert {"demo", "springs5", "charged5", "kuramoto5", "springs5-paper", "charged5-paper"} <= set(NAMED)


@pytest.mark.parametrize("words", [["--preset", "charged5"], ["--preset=charged5"]])
def test_options_win_over_presets_in_any_order(command, words):
    for line in ([*words, "--minutes", "9"], ["--minutes", "9", *words]):
        printed = settings(command("train", *line, "--edge_types", "4", "--print_config"))
        assert (printed["minutes"], printed["edge_types"]) == (9, 4)


def test_options_win_over_settings_files(command, tmp_path):
    (tmp_path / "c.yaml").write_text("learning_rate: 1e-4\nedge_hidden: [3, 4]\nbatch: 5\n")
    line = ["--config", tmp_path / "c.yaml", "--preset", "springs5", "--batch", "7", "--print_config"]
    printed = settings(command("train", *line))
    found = [printed[name] for name in ("learning_rate", "edge_hidden", "batch", "minutes")]
    assert found == [1e-4, [3, 4], 7, 2]


@pytest.mark.parametrize(
    "words",
    [
        ["--edge_types", "3", "--learning_rate", "0.1"],
        ["--edge-types", "3", "--learning-rate", "0.1"],
        ["--edge-types=3", "--learning-rate=0.1"],
    ],
)
def test_hyphens_and_underscores_are_alike(command, words):
    printed = settings(command("train", *words, "--print-config"))
    assert (printed["edge_types"], printed["learning_rate"]) == (3, 0.1)


def test_only_the_name_of_an_option_changes():
    assert with_underscores("--out-to=my-run") == "--out_to=my-run"
    assert with_underscores("my-run") == "my-run"


def test_the_installed_script_is_the_same_program(tmp_path):
    script = Path(sys.executable).with_name("bouncegrad")
    lines = [[sys.executable, "-m", "bouncegrad.app.cli"], *([[script]] if script.exists() else [])]
    for line in lines:
        good = subprocess.run([*line, "--version"], capture_output=True, text=True)
        assert (good.returncode, good.stdout) == (0, f"bouncegrad {bouncegrad.__version__}\n")
        bad = subprocess.run([*line, "inspect", "none.npz"], capture_output=True, text=True, cwd=tmp_path)
        assert (bad.returncode, bad.stdout) == (2, "")
        assert bad.stderr == "bouncegrad: none.npz: no such file or folder; correct the path\n"
