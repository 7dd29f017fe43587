"""Help, version, presets, settings files, and the forms in which an option may be written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import bouncegrad
from bouncegrad.app.cli import COMMANDS, with_underscores
from bouncegrad.app.options import FIRST, GROUPS, train_parser
from bouncegrad.settings.config import PRESETS, Config, preset
from bouncegrad.settings.resolved import resolve

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


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_help_all_of_other_commands_is_their_help(command, name):
    assert command(name, "--help-all") == command(name, "--help")


def test_help_of_train_fits_on_a_screen_and_says_how_to_see_the_rest(command):
    out = command("train", "--help").out
    assert re.findall(r"^  (--[\w-]+)", out, re.MULTILINE) == [
        f"--{name.replace('help_all', 'help-all')}" for name in FIRST.names if name != "help"
    ]
    assert len(set(FIRST.names) - {"help", "help_all"}) == 10
    assert out.count("\n") <= 35
    assert "\nbouncegrad train --help-all shows all " in out


def test_help_all_of_train_explains_every_setting_in_a_group(command):
    out = command("train", "--help-all").out
    for name in Config.__dataclass_fields__:
        assert f"  --{name} " in out
    assert "other settings" not in out, "a new setting belongs to one of the groups in options.py"
    titles = [line.removesuffix(":") for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [group.title for group in GROUPS]


def test_no_option_is_in_two_groups_and_all_exist():
    names = [name for group in GROUPS for name in group.names]
    assert len(names) == len(set(names))
    assert set(names) == {action.dest for action in train_parser()._actions}
    assert set(FIRST.names) <= set(names)


def test_an_option_without_a_group_is_shown_at_the_end(command):
    parser = train_parser()
    parser.add_argument("--newest", type=int, default=3, help="a setting that no group names")
    parser.show_all = True
    *_, last = parser.format_help().split("\n\n")
    assert last == "other settings:\n  --newest N            a setting that no group names (default: 3)\n"


def test_regression_presets_have_a_help_of_their_own(command):
    found = command("train", "--preset", "sines-maml", "--help")
    assert found == command("train", "--preset", "sines-maml", "--help-all")
    assert "--meta_steps N" in found.out
    assert "--edge_types" not in found.out


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_fits_into_eighty_columns(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    found = command(*([] if name is None else [name]), "--help-all")
    assert found.status == 0
    assert max(map(len, found.out.splitlines())) <= 80


def test_help_shows_values_as_they_are_typed(command):
    out = " ".join(command("train", "--help-all").out.split())
    for text in (
        "(default: [64,64])",
        "--polar {true,false}",
        "--edge_types N|auto K,",
        "--pinned type 0",
        "--minutes X",
    ):
        assert text in out
    for text in ("(default: ())", "None", "True", "null"):
        assert text not in out


@pytest.mark.parametrize("name", ["help", "help_all"])
def test_help_is_no_setting_of_a_file(command, tmp_path, name):
    (tmp_path / "c.yaml").write_text(f"{name}: 1\n")
    found = command("train", "--data", "d", "--out", "o", "--config", tmp_path / "c.yaml")
    assert (found.status, found.out) == (2, "")


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
    resolved = resolve(Config.from_mapping(stated, name), (100, 49, 5, 4))
    assert None not in (resolved.annealer, resolved.temperature, resolved.loss, resolved.steps, resolved.segments)
    printed = settings(command("train", "--preset", name, "--print_config"))
    defaults = settings(command("train", "--print_config"))
    assert printed == defaults | stated


def test_presets_are_named():
    assert {"demo", "springs5", "charged5", "kuramoto5", "springs5-paper", "charged5-paper"} <= set(NAMED)
    assert {"springs5-small", "charged5-small"} <= set(NAMED)


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
