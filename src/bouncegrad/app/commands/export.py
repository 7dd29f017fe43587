"""`bouncegrad export RESULT --to csv|graphml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bouncegrad.app.parser import Parser
from bouncegrad.data.errors import InputError


def main(words: list[str]) -> None:
    """Writes the graphs of a result for other tools."""
    parser = Parser("export")
    parser.add_argument("result", type=str, help="folder that `bouncegrad infer` wrote, or its result.npz")
    parser.add_argument(
        "--to", type=Literal["csv", "graphml"], required=True, help="csv: one table; graphml: one file per task"
    )
    parser.add_argument("--out", type=str | None, help="file or folder to write (default: in RESULT)")
    parser.add_argument(
        "--undirected", action="store_true", help="csv: one row per pair, with one type for both directions"
    )
    parser.add_argument("--without_type", type=int | None, metavar="TYPE", help="graphml: leave out edges of this type")
    args = parser.parse_args(words)

    from bouncegrad.results.export import write_edges_csv, write_graphml
    from bouncegrad.results.result import Result

    path = Path(args.result)
    path = path / "result.npz" if path.is_dir() else path
    result = Result.load(path)
    types = len(result.type_names)
    if args.to == "csv" and args.without_type is not None:
        raise InputError(
            "option without_type: a csv table names the type of each edge; leave it out, or give --to graphml"
        )
    if args.to == "graphml" and args.undirected:
        raise InputError("option undirected: graphml keeps both directions; leave it out, or give --to csv")
    if args.without_type is not None and not 0 <= args.without_type < types:
        raise InputError(
            f"option without_type: {args.without_type}, but {path} has the types 0 to {types - 1}; give one of these"
        )
    if args.to == "csv":
        out = Path(args.out or path.with_name("edges_undirected.csv" if args.undirected else "edges.csv"))
        write_edges_csv(result, out, undirected=args.undirected)
        print(f"wrote {out}")
    else:
        files = write_graphml(result, Path(args.out or path.with_name("graphml")), without_type=args.without_type)
        print(f"wrote {len(files)} files to {files[0].parent}")
