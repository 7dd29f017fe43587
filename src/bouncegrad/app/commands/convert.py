"""`bouncegrad convert A B`."""

from __future__ import annotations

import json

from bouncegrad.app.arguments import add_data_options, add_json_option
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import READING


def main(words: list[str]) -> None:
    """Writes the target, and prints what its format cannot keep."""
    parser = Parser("convert")
    parser.add_argument("source", type=str, help="file or folder to read, of any known format")
    parser.add_argument(
        "target",
        type=str,
        help="file (.npz, .csv) or folder (.mmap) to write; with {part} or {task} in its name, one of each",
    )
    parser.add_argument(
        "--format",
        type=str | None,
        metavar="NAME",
        help="format, if the name of the target does not say it: npz, mmap, csv, wide, kipf, alet, dnri, netsim",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")
    add_json_option(parser)
    add_data_options(
        parser, part="part to read, and to write in a folder of parts (default: all, if the target can hold them)"
    )
    args = parser.parse_args(words)

    from bouncegrad.data.conversion import convert
    from bouncegrad.data.formats import recognise

    reading = {name: getattr(args, name) for name in ("part", *READING)}
    left_out = recognise(args.source).left_out
    written = convert(args.source, args.target, format=args.format, force=args.force, **reading)
    lines: dict[str, list[str]] = {}
    for one in written:
        for name, line in one.lost.items():
            lines.setdefault(name, []).append(line)
    lost = [same[0] + (f" (so in {len(same)} files)" if len(same) > 1 else "") for same in lines.values()]
    if args.json:
        about = [{"path": str(one.path), "part": one.part, "tasks": len(one.data.tasks)} for one in written]
        print(json.dumps({"written": about, "not_read": left_out, "not_kept": lost}))
        return
    for one in written:
        print(f"{one.path}{f', part {one.part}' if one.part else ''}: {one.data.summary()}")
    if left_out:
        print(f"not read, if there: {left_out}")
    for line in lost:
        print(f"not kept: {line}")
