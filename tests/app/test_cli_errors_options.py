"""Options and settings that cannot be used: refused before anything is written."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ..refusals import assert_refused

TRAIN = ["train", "--data", "springs.npz", "--out", "new", "--epochs", "1", "--threads", "1"]

# option, values that cannot be used, what the message must say
SETTINGS = [
    ("edge_types", ["x", "2.5", "''", "None"], "give a whole number"),
    ("edge_types", ["0", "-1", "65", "1000000000000000000000000"], "give a whole number from 1 to 64, or auto"),
    ("epochs", ["x", "1.5", "''", "1e3"], "give a whole number"),
    ("epochs", ["0", "-1"], "give a whole number from 1"),
    ("batch", ["0", "-3"], "give a whole number from 1"),
    ("steps", ["0", "-1"], "give a whole number from 1"),
    ("segments", ["-1", "1000000000000"], "give a whole number from 0 to 10^6"),
    ("threads", ["0", "-1", "100000000"], "give a whole number from 1 to 1024"),
    ("message", ["0", "-1", "1000000000000"], "give a whole number from 1 to 65536"),
    ("seed", ["-1", "9223372036854775808"], "give a whole number from 0, below 2^63"),
    ("seed", ["x", "0.5"], "give a whole number"),
    ("holdout", ["1.5", "1", "-0.1"], "give a share from 0, below 1"),
    ("holdout", ["nan", "inf", "x"], "give a number"),
    ("evidence", ["1", "-1"], "give a share from 0, below 1"),
    ("hot", ["1", "-1"], "give a share from 0, below 1"),
    ("cooling", ["0", "-1"], "give a whole number from 1"),
    ("learning_rate", ["0", "-1", "1e300"], "give a number above 0"),
    ("learning_rate", ["nan", "x"], "give a number"),
    ("rate", ["x"], "give cosine or plateau"),
    ("clip", ["0", "-1"], "give a number above 0"),
    ("temperature", ["0", "-1"], "give a number above 0"),
    ("temperature", ["nan", "x"], "give a number"),
    ("minutes", ["0", "-1"], "give a number above 0"),
    ("minutes", ["nan", "x"], "give a number"),
    ("edge_hidden", ["3", "x"], "give a list such as [a,b]"),
    ("edge_hidden", ["[]", "[0]", "[8,-1]", "[1000000]"], "give at least one width, each from 1 to 65536"),
    ("node_hidden", ["[1.5]", "[x]"], "give a whole number"),
    ("node_hidden", ["[]"], "give at least one width"),
    ("activation", ["tanh", "3"], "give silu or relu"),
    ("search", ["x"], "give auto, heat-bath, joint-draws, paper, or a part of your own as my.module:Name"),
    ("proposal", ["x"], "give uniform or learned or nothing or truth"),
    ("proposals", ["0", "-1", "1001"], "give a whole number from 1 to 1000"),
    ("proposals", ["2"], "only --search paper uses proposals"),
    ("uniform", ["0", "-1", "1.5"], "give a share above 0, up to 1"),
    ("uniform", ["0.1"], "only --proposal learned mixes it in"),
    ("tracked_passes", ["0", "-1"], "give a whole number from 1 to 10^9"),
    ("proposal", ["learned", "truth"], "only --search paper uses proposals"),
    ("encoder", ["x"], "give mlp or cnn or regression or structures or structures-flipped or both"),
    ("encoder", ["cnn", "both"], "only --proposal learned has an encoder"),
    ("encoder_optimizer", ["x"], "give sgd or adam"),
    ("encoder_optimizer", ["adam"], "only --proposal learned has an encoder"),
    ("encoder_hidden", ["0", "-1", "1000000000000"], "give a whole number from 1 to 65536"),
    ("move", ["x"], "give edge or entity or flip or everything"),
    ("move", ["flip"], "only --search paper uses proposals"),
    ("annealer", ["x"], "give geometric or tracked or residual or fixed"),
    ("annealer", ["tracked", "residual"], "only --search paper has an acceptance"),
    ("floor", ["0", "-1"], "give a number above 0"),
    ("floor", ["x", "nan"], "give a number"),
    ("loss", ["x"], "give likelihood or rollout"),
]

# How a value is shown where it is not shown as typed.
SHOWN = {"true": "True", "1e400": "inf", "1e300": "1e+300", "[8,-1]": "(8, -1)", "[1.5]": "1.5"}


@pytest.mark.parametrize(
    ("option", "value", "says"), [(option, value, says) for option, values, says in SETTINGS for value in values]
)
def test_values_of_settings(command, work, option, value, says):
    typed = shlex.split(value)[0]
    line = [*TRAIN, f"--{option.replace('_', '-')}", typed]
    assert_refused(command, line, f"{option}: ", SHOWN.get(typed, typed.strip("[]")), "cannot be used", says)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--loss likelihood --steps 4", ["setting steps: 4", "only --search paper has a likelihood of several steps"]),
        ("--temperature 1 --floor 2", ["setting floor: 2.0", "give at most the first temperature, 1.0"]),
        ("--search paper --floor 1", ["setting floor: 1.0", "give at most the first temperature, 5.5e-05"]),
        (
            "--search paper --loss likelihood --annealer residual",
            ["setting annealer: 'residual'", "it needs the errors of --loss rollout"],
        ),
        ("--search paper --encoder cnn", ["setting encoder: 'cnn'", "only --proposal learned has an encoder"]),
        (
            "--search paper --proposal learned --encoder regression --edge_types 1",
            ["setting encoder: 'regression'", "regression needs two edge types"],
        ),
        ("--search paper --steps 30", ["30 steps need 31 frames", "the data has 30", "give fewer steps"]),
        ("--holdout 0.99", ["springs.npz: a share of 0.99 of 24 tasks leaves 0 to train", "change the share"]),
        (
            "--preset nope",
            [
                "preset 'nope' is not known",
                "charged5, charged5-paper, charged5-small, demo",
                "springs5-paper, springs5-small",
            ],
        ),
        ("--preset=", ["preset '' is not known"]),
        ("--preset", ["--preset: expected one argument"]),
        ("--pre springs5", ["unrecognized arguments: --pre springs5", "bouncegrad train --help"]),
        ("--nope 3", ["unrecognized arguments: --nope 3", "bouncegrad train --help"]),
        ("extra", ["unrecognized arguments: extra"]),
        ("--velocities=3", ["--velocities"]),
        ("--config", ["--config: expected one argument"]),
        ("--config none.yaml", ["none.yaml"]),
        ("--config run", ["run", "not a file"]),
        ("--out run", ["run: is not empty", "choose another --out", "--resume"]),
        ("--out springs.npz", ["springs.npz: is a file; choose another --out"]),
        ("--out springs.npz/sub", ["springs.npz/sub", "cannot be written", "choose a folder"]),
        ("--out /proc/none/sub", ["/proc/none/sub", "cannot be written", "choose a folder"]),
    ],
)
def test_options_of_train(command, work, line, says):
    assert_refused(command, [*TRAIN, *line.split()], *says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("edge_typs: 3", ["option 'edge_typs' is not known", "bouncegrad train --help"]),
        ("edge_types: 3\nanneal: 1", ["option 'anneal' is not known"]),
        ("edge_types: [1", ["line 2, column 1"]),
        ("edge_types: hello", ["option edge_types: 'hello' cannot be used; give a whole number"]),
        ("edge_types: null", ["setting edge_types: None cannot be used; give a whole number"]),
        ("edge_types: -1", ["setting edge_types: -1 cannot be used; give a whole number from 1 to 64, or auto"]),
        ("edge_hidden: [8, x]", ["option edge_hidden: 'x' cannot be used"]),
        ("hello", ["found 'hello' in place of settings"]),
        ("", ["found nothing in place of settings"]),
        ("- 1\n- 2", ["found '- 1 - 2' in place of settings"]),
        ("a: &a [*a]", ["line 1 has the alias *a; write its value out"]),
        ("edge_hidden: &a [*a]", ["line 1 has the alias *a"]),
        ("!!python/object/apply:os.system ['touch evil']", ["python/object"]),
        (b"\xff\xfe\x00", ["is no YAML file of settings"]),
    ],
)
def test_settings_files(command, work, text, says):
    Path("c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert_refused(command, [*TRAIN, "--config", "c.yaml"], "c.yaml: ", *says)


def test_a_preset_in_a_settings_file_is_not_passed_over(command, work):
    Path("c.yaml").write_text("preset: springs5\n")
    assert_refused(command, [*TRAIN, "--config", "c.yaml"], "option preset: 'springs5'", "on the command line")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nope", ["command 'nope' is not known", "choose one of demo, simulate"]),
        ("--nope", ["command '--nope' is not known"]),
        ("train", ["--data is missing", "bouncegrad train --help"]),
        ("train --data springs.npz", ["--out is missing"]),
        ("train --out new", ["--data is missing"]),
        ("inspect", ["required: data", "bouncegrad inspect --help"]),
        ("infer run springs.npz", ["required: out"]),
        ("evaluate run", ["required: data"]),
        ("evaluate", ["required: run, data"]),
        ("report", ["required: folder"]),
        ("export result", ["required: to"]),
        ("simulate", ["required: system, tasks, out"]),
        ("inspect springs.npz --bogus", ["unrecognized arguments: --bogus"]),
        ("infer run springs.npz more --out new", ["unrecognized arguments: more"]),
        ("infer run springs.npz --out springs.npz", ["springs.npz: cannot be made (File exists)"]),
        ("infer run springs.npz --out springs.npz/sub", ["springs.npz/sub: cannot be made"]),
        ("report run --out springs.npz/a.html", ["springs.npz/a.html: cannot be written"]),
        ("report run --out result", ["result: writing failed"]),
        ("simulate nope --tasks 2 --out new.npz", ["unknown system 'nope'", "springs"]),
        ("simulate springs --tasks 0 --out new.npz", ["tasks is 0; give a whole number of 1 or more"]),
        ("simulate springs --tasks x --out new.npz", ["option tasks: 'x' cannot be used; give a whole number"]),
        ("simulate springs --tasks 2 --entities 1 --out new.npz", ["entities is 1"]),
        ("simulate springs --tasks 2 --frames 1 --out new.npz", ["frames is 1"]),
        ("simulate springs --tasks 2 --seed -1 --out new.npz", ["seed is -1"]),
        ("simulate springs --tasks 2 --noise -1 --out new.npz", ["noise is -1.0"]),
        ("simulate springs --tasks 2 --noise nan --out new.npz", ["option noise: 'nan'"]),
        ("simulate springs --tasks 2 --threads 0 --out new.npz", ["threads is 0"]),
        ("simulate charged --tasks 2 --directed --out new.npz", ["a force between charges acts both ways; drop it"]),
        ("simulate springs --tasks 2 --graph tree --out new.npz", ["unknown graph 'tree'; choose one of random, er"]),
        ("simulate springs --tasks 2 --graph er --density 2 --out new.npz", ["density is 2.0; give a probability"]),
        ("simulate springs --tasks 2000000000 --out new.npz", ["more than 16 GB; simulate fewer tasks"]),
        ("simulate springs --tasks 2 --out new.txt", ["new.txt: no format by this name; name it .npz, .csv or .mmap"]),
        ("simulate springs --tasks 2 --out springs.npz", ["springs.npz: exists already", "--force"]),
        ("simulate springs --tasks 2 --out springs.npz/a.npz", ["springs.npz/a.npz: cannot be written"]),
        ("demo --epochs 0 --out new", ["setting epochs: 0 cannot be used; give a whole number from 1"]),
        ("demo --minutes 0 --out new", ["setting minutes: 0.0 cannot be used; give a number above 0"]),
        ("demo --seed -1 --out new", ["setting seed: -1"]),
        ("demo --seed 9223372036854775808 --out new", ["seed", "below 2^63"]),
        ("demo --out springs.npz", ["springs.npz: is a file"]),
        ("demo --epochs 1 --out run", ["run: holds 'checkpoint.pt', which is not the demo's; choose another --out"]),
        ("demo --epochs 1 --out result", ["result: holds 'graph.svg', which is not the demo's"]),
        ("export result --to gml", ["option to: 'gml' cannot be used; give csv or graphml"]),
        ("export result --to graphml --without_type 2", ["without_type: 2", "result.npz has the types 0 to 1"]),
        ("export result --to graphml --without_type -1", ["without_type: -1", "give one of these"]),
        ("export result --to graphml --without_type x", ["option without_type: 'x'", "give a whole number"]),
        ("export result --to csv --without_type 0", ["a csv table names the type of each edge"]),
        ("export result --to graphml --undirected", ["graphml keeps both directions"]),
        ("export result --to csv --out springs.npz/a.csv", ["springs.npz/a.csv: cannot be written"]),
        ("export result --to graphml --out springs.npz", ["springs.npz/task_0.graphml: cannot be written"]),
    ],
)
def test_other_commands(command, work, line, says):
    assert_refused(command, line.split(), *says)
