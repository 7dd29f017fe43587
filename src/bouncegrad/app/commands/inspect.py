"""`bouncegrad inspect DATA`."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bouncegrad.app.arguments import add_data_options, add_json_option
from bouncegrad.app.columns import baseline_table
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import load_data, reading_of, separate_parts
from bouncegrad.app.score_tables import as_json, score_tables
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, parts, recognise
from bouncegrad.data.inspection import inspect
from bouncegrad.data.trajectories import Trajectories

if TYPE_CHECKING:
    from bouncegrad.results.result import Result

PICTURES = (".png", ".svg", ".pdf")


def main(words: list[str]) -> None:
    """Prints what is in the data, what looks wrong, and with `--baselines` how well simple scores find the edges.

    If the true edges are not known, it prints the scores themselves, and how far they agree with each other.

    Of a folder with parts that are data sets of their own, it prints the list.
    """
    parser = Parser("inspect")
    parser.add_argument("data", type=str, help="file or folder of recordings")
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="also measure how well simple scores, such as correlation, find the true edges; without true edges, print "
        "the scores, and how far they agree",
    )
    parser.add_argument(
        "--result",
        type=str | None,
        metavar="RESULT",
        help="with --baselines, without true edges: also say how far scores agree with this result of infer",
    )
    parser.add_argument(
        "--plot",
        type=str | None,
        metavar="PICTURE",
        help="also draw the tracks, with what looks wrong marked (.png, .svg)",
    )
    add_json_option(parser)
    add_data_options(parser, train=True)
    args = parser.parse_args(words)
    if args.result is not None and not args.baselines:
        raise InputError("option result: goes with --baselines; add that, or leave this out")
    if args.part is None and (several := separate_parts(args.data)):
        rows = {name: load(args.data, part=name, **reading_of(args)).summary() for name in several}
        print(json.dumps({"parts": rows}) if args.json else "\n".join(part_lines(args.data, rows)))
        return
    data, part = load_data(args.data, args, "train", note_assumptions=False)
    # True edges and groups are those of the part that is looked at.
    reading = reading_of(args) | {"edges": None, "edges_order": None, "groups": None}
    others = {name: data if name == part else load(args.data, part=name, **reading) for name in parts(args.data)}
    found = inspect(data, format=recognise(args.data).name, parts=others)
    lines, numbers = [*found.lines()], asdict(found)
    if args.baselines:
        table = baselines(data)
        numbers["baselines"] = table
        if data.edges is not None:
            lines += ["", baseline_table(table)]
        else:
            from bouncegrad.results.agreement import baseline_scores  # here, so that help does not load scipy

            scores = baseline_scores(data, data.shape[1])
            result = None if args.result is None else result_of(args.result, data)
            numbers |= as_json(data, scores, result)
            lines += ["", score_tables(data, scores, result)]
    if args.plot:
        draw(data, Path(args.plot))
        numbers["plot"] = args.plot
        lines += [f"wrote {args.plot}"]
    print(json.dumps(numbers) if args.json else "\n".join(lines))


def result_of(folder: str, data: Trajectories) -> Result:
    """Returns the result of `infer` for these recordings.

    Raises:
        InputError: it is of other recordings.
    """
    from bouncegrad.results.result import Result

    found = Result.load(Path(folder) / "result.npz")
    if (found.tasks, found.entities) != (data.tasks, data.entities):
        raise InputError(f"option result: {folder} is of other tasks or entities than {data.source}; infer them first")
    return found


def draw(data: Trajectories, path: Path) -> None:
    """Writes a picture of the tasks in which most states look wrong.

    Raises:
        InputError: the name has another ending, or the folder is not there.
    """
    if path.suffix not in PICTURES:
        raise InputError(f"option plot: {path} is no picture; name it {' or '.join(PICTURES)}")
    if not path.parent.is_dir():
        raise InputError(f"option plot: {path}: there is no folder {path.parent}; make it first")

    from bouncegrad.results.plots_doubts import doubtful
    from bouncegrad.results.style import save

    save(doubtful(data), path)


def part_lines(path: str, rows: dict[str, str]) -> list[str]:
    """Returns a line for each part, and the command that looks at one of them."""
    width = max(map(len, rows))
    first = shlex.quote(next(iter(rows)))
    return [
        f"{path}: {len(rows)} parts, each a data set of its own",
        *(f"{name:<{width}}  {summary}" for name, summary in rows.items()),
        f"look at one with: bouncegrad inspect {shlex.quote(path)} --part {first}",
    ]


def baselines(data: Trajectories) -> dict[str, dict[str, float | None]]:
    """Returns how well simple scores of all frames find the edges, for as many types as the truth has.

    Raises:
        InputError: a value is not finite.
    """
    from bouncegrad.results.baselines import edge_baselines  # here, so that help does not load scipy

    types = 2 if data.edges is None else max(2, int(data.edges.max()) + 1)
    return edge_baselines(data.require_finite(), data.shape[1], types)
