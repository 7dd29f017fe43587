"""`bouncegrad benchmark accuracy`, `forecast`, `moves`, `networks`, `published`, `series` and `speed`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from bouncegrad.app.columns import columns
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import new_folder
from bouncegrad.data.errors import InputError

TABLES = {
    "accuracy": "edges of new tasks",
    "forecast": "frames ahead",
    "moves": "few moves of a search, and an encoder that needs none",
    "networks": "one graph for all recordings",
    "published": "the search of Alet et al. 2019",
    "series": "one recording",
    "speed": "seconds of each part",
}


def main(words: list[str]) -> None:
    """Measures a table again, and prints it beside the published values."""
    parser = Parser("benchmark")
    tables = ", ".join(f"{name} ({what})" for name, what in TABLES.items())
    parser.add_argument("name", type=str, help=f"the table to measure: {tables}")
    parser.add_argument(
        "--out", type=str, default="benchmark", help="folder of figures; a figure that it has is not measured again"
    )
    parser.add_argument("--rows", type=str | None, help="rows of the table, such as springs5,charged5 (default: all)")
    parser.add_argument("--seeds", type=str, default="0", help="seeds, such as 0,1,2")
    parser.add_argument("--minutes", type=float | None, help="time limit of each training (default: that of each row)")
    parser.add_argument(
        "--baselines", action="store_true", help="networks: measure the simple scores only, without training"
    )
    parser.add_argument(
        "--data", type=str | None, help="series: recordings with true edges, for the rows NetSim and DREAM3-100"
    )
    args = parser.parse_args(words)
    if args.name not in TABLES:
        raise InputError(f"benchmark {args.name!r} is not known; choose {', '.join(TABLES)}")
    if args.baselines and args.name != "networks":
        raise InputError(f"option baselines: the table {args.name} has nothing without training; drop it")
    if args.data is not None and args.name != "series":
        raise InputError(f"option data: the table {args.name} makes its own recordings; drop it")
    if args.minutes is not None and not 0 < args.minutes <= 1e6:
        raise InputError(f"option minutes: {args.minutes:g} cannot be used; give a number above 0")
    try:
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        raise InputError(f"option seeds: {args.seeds!r} cannot be used; give whole numbers such as 0,1,2") from None
    if args.name == "speed":
        speeds(seeds, args.out)
        return
    names = args.rows.split(",") if args.rows else []
    # Only one table has something without training, and only one reads recordings.
    extra = {"training": False} if args.baselines else {} if args.data is None else {"file": Path(args.data)}
    rows(args.name, names, seeds, args.minutes, args.out, extra)


def rows(name: str, names: list[str], seeds: list[int], minutes: float | None, out: str, extra: dict[str, Any]) -> None:
    """Measures the rows of a table one after another, and prints the table at the end.

    Args:
        name: of the table.
        names: of the rows; empty: all.
        seeds: of each row.
        minutes: time limit of each training; None: that of each row.
        out: the folder of the figures.
        extra: what else the measurement of this table is told.
    """
    from bouncegrad.app.benchmarks import accuracy, forecast, moves, networks, published, series
    from bouncegrad.app.benchmarks.rows import chosen

    tables = {"accuracy": accuracy, "forecast": forecast, "moves": moves, "networks": networks}
    measured = (tables | {"published": published, "series": series})[name]
    training, run = extra.get("training", True), partial(measured.run, **extra)
    key, words = ("auroc", "AUROC") if name == "networks" else ("edge_accuracy", "edge accuracy")
    found = run(chosen(names, measured.ROWS), seeds, minutes, Path(out))
    folder, results = new_folder(out), []  # after the names of rows were checked: a wrong one leaves no folder behind
    for figures in found:
        results.append(figures)
        if name == "series":
            told = f"{figures['verdict']}, {figures['sure']} sure edges, {figures['wrong']} of them wrong"
            print(f"{figures['row']}, seed {figures['seed']}: {told}", flush=True)
        elif training:
            print(f"{figures['row']}, seed {figures['seed']}: {words} {figures[key]:.4f}", flush=True)
    print(columns(measured.table(results)))
    if name in ("networks", "series"):
        print(measured.NOTE)
    if name == "published":
        from bouncegrad.app.benchmarks.published_curves import draw

        print("\n".join(f"wrote {path}" for path in draw(results, folder)))
    print(f"figures of every run: {Path(out)}")


def speeds(seeds: list[int], out: str) -> None:
    """Measures and prints speed part by part, and writes all parts as JSON."""
    from bouncegrad.app.benchmarks.speed import run
    from bouncegrad.data.files import replacing

    parts = {}
    folder = new_folder(out)
    for name, figures in run(seeds):
        parts[name] = figures
        print(f"{name}\n  " + "\n  ".join(f"{key}: {value}" for key, value in figures.items()), flush=True)
    with replacing(folder / "speed.json") as path:
        path.write_text(json.dumps(parts, indent=1) + "\n")
    print(f"wrote {folder / 'speed.json'}")
