"""`bouncegrad benchmark accuracy`, `forecast` and `speed`."""

from __future__ import annotations

import json
from pathlib import Path

from bouncegrad.app.columns import columns
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import new_folder
from bouncegrad.data.errors import InputError

NAMES = ("accuracy", "forecast", "speed")


def main(words: list[str]) -> None:
    """Measures a table again, and prints it beside the published values."""
    parser = Parser("benchmark")
    parser.add_argument("name", type=str, help="the table to measure: accuracy, forecast or speed")
    parser.add_argument(
        "--out", type=str, default="benchmark", help="folder of figures; a figure that it has is not measured again"
    )
    parser.add_argument("--rows", type=str | None, help="rows of the table, such as springs5,charged5 (default: all)")
    parser.add_argument("--seeds", type=str, default="0", help="seeds, such as 0,1,2")
    parser.add_argument("--minutes", type=float | None, help="time limit of each training (default: that of each row)")
    args = parser.parse_args(words)
    if args.name not in NAMES:
        raise InputError(f"benchmark {args.name!r} is not known; choose {', '.join(NAMES)}")
    if args.minutes is not None and not 0 < args.minutes <= 1e6:
        raise InputError(f"option minutes: {args.minutes:g} cannot be used; give a number above 0")
    try:
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        raise InputError(f"option seeds: {args.seeds!r} cannot be used; give whole numbers such as 0,1,2") from None
    if args.name == "speed":
        speeds(seeds, args.out)
    else:
        rows(args.name, args.rows.split(",") if args.rows else [], seeds, args.minutes, args.out)


def rows(name: str, names: list[str], seeds: list[int], minutes: float | None, out: str) -> None:
    """Measures the rows of a table one after another, and prints the table at the end."""
    from bouncegrad.app.benchmarks import accuracy, forecast
    from bouncegrad.app.benchmarks.rows import chosen

    folder, results = new_folder(out), []
    if name == "accuracy":
        measured, table = accuracy.run(chosen(names, accuracy.ROWS), seeds, minutes, folder), accuracy.table
    else:
        measured, table = forecast.run(chosen(names, forecast.ROWS), seeds, minutes, folder), forecast.table
    for figures in measured:
        results.append(figures)
        print(f"{figures['row']}, seed {figures['seed']}: edge accuracy {figures['edge_accuracy']:.4f}", flush=True)
    print(columns(table(results)))
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
