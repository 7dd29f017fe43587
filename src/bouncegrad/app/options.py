"""The options of `bouncegrad train`, and the groups in which its help shows them."""

from __future__ import annotations

from typing import get_type_hints

from bouncegrad.app.arguments import add_data_options, add_known_option, add_quiet_option
from bouncegrad.app.help import BOOLEAN, Group, Screens
from bouncegrad.app.parser import Parser
from bouncegrad.regression import PRESETS as REGRESSION
from bouncegrad.settings.config import Config, preset

FIRST = Group(
    "options that most runs need",
    (
        *("data", "out", "velocities", "edge_types", "pinned", "symmetric", "minutes", "seed"),
        *("preset", "resume", "help", "help_all"),
    ),
)
GROUPS = (
    Group(
        "the run",
        (
            *("data", "out", "resume", "preset", "config", "print_config"),
            *("tensorboard", "quiet", "help", "help_all"),
        ),
        "N stands for a whole number, X for any number. An option without a value, such as --pinned, is off by "
        "default; if a preset switches it on, `--pinned false` switches it off.",
    ),
    Group(
        "data: how it is read, and which tasks are kept for validation",
        (
            *("part", "columns", "velocities", "time_step", "fps", "resample", "angles", "periodic", "missing"),
            *("unswap", "unit", "origin", "same_unit", "strict", "keypoints", "likelihood"),
            *("quantities", "kinds", "groups"),
            *("edges", "edges_order", "holdout", "new"),
        ),
    ),
    Group(
        "what you know of the edges and of the law",
        (
            *("edge_types", "pinned", "sparsity", "symmetric", "entity_types", "candidates", "known"),
            *("shared_graph", "first_graph", "window", "momentum", "relative", "mirror"),
        ),
    ),
    Group("time and machine", ("minutes", "epochs", "variants", "seed", "threads", "device")),
    Group(
        "search for structures",
        (
            "search",
            "hot",
            "cooling",
            "cooling_tasks",
            "annealer",
            "temperature",
            "floor",
            "evidence",
            "segments",
            "steps",
        ),
    ),
    Group(
        "networks: what they see, how large they are, how they learn",
        (
            *("composition", "lags", "lagged", "polar", "edge_hidden", "node_hidden", "message", "activation"),
            *("loss", "head", "resolution", "batch", "optimizer", "learning_rate", "rate", "clip"),
        ),
    ),
    Group("forecasts", ("forecast", "horizon", "substeps")),
    Group(
        "the published search (Alet et al. 2019), with --search paper",
        (
            *("proposal", "proposals", "move", "uniform", "encoder", "encoder_hidden", "encoder_optimizer"),
            "tracked_passes",
        ),
    ),
)
SCREENS = Screens(FIRST, GROUPS)


def train_parser() -> Parser:
    """Returns the parser of `train`: where data is read and results are written, and every field of `Config`."""
    parser = Parser("train", SCREENS, usage="bouncegrad train --data DATA --out OUT", default_env=False)
    parser.add_argument("--data", type=str | None, help="file or folder of recordings")
    parser.add_argument("--out", type=str | None, help="run folder to write")
    parser.add_argument(
        "--preset",
        type=str | None,
        metavar="NAME",
        help="settings of a named experiment; options on the command line override them. Presets of regression tasks, "
        "such as sines-maml, have their own options: --preset sines-maml --help",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its own settings")
    parser.add_argument(
        "--new",
        type=str | None,
        metavar="DATA",
        help="file or folder of tasks that the run is validated on while it trains; of the training data only the "
        "held-out tasks are used, or the part valid",
    )
    parser.add_argument("--tensorboard", action="store_true", help="also write the metrics for TensorBoard")
    add_known_option(parser)
    add_quiet_option(parser)
    add_data_options(parser, train=True)
    parser.add_argument("--config", action="config", metavar="FILE", help="YAML file of settings; later options win")
    parser.add_class_arguments(Config, None, help="settings (see also --print_config)")
    for action in parser._actions:
        if action.metavar == BOOLEAN and action.default is False:
            action.metavar = ""  # the name alone switches it on, see `with_flags`
    return parser


def with_preset(words: list[str]) -> list[str]:
    """Replaces the name of a preset by its file, and puts it before all other options, so that these win."""
    for i, word in enumerate(words):
        if word.startswith("--preset="):
            return ["--config", str(preset(word.partition("=")[2], REGRESSION)), *words[:i], *words[i + 1 :]]
        if word == "--preset" and i + 1 < len(words):
            return ["--config", str(preset(words[i + 1], REGRESSION)), *words[:i], *words[i + 2 :]]
    return words


def with_flags(words: list[str]) -> list[str]:
    """Completes `--symmetric` to `--symmetric=true`, and in the same way every other setting that is true or false."""
    flags = {f"--{name}" for name, hint in get_type_hints(Config).items() if hint is bool}
    return [
        f"{word}=true" if word in flags and words[i + 1 : i + 2] not in (["true"], ["false"]) else word
        for i, word in enumerate(words)
    ]
