"""`bouncegrad inspect DATA`."""

from __future__ import annotations

import json
from dataclasses import asdict

from bouncegrad.app.arguments import Parser, add_data_options, load_data
from bouncegrad.data.formats import load, parts, recognise
from bouncegrad.data.inspection import inspect


def main(words: list[str]) -> None:
    """Prints what is in the data and what looks wrong."""
    parser = Parser("inspect")
    parser.add_argument("data", type=str, help="file or folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_data_options(parser, train=True)
    args = parser.parse_args(words)
    data, part = load_data(args.data, args, "train")
    others = {name: data if name == part else load(args.data, part=name) for name in parts(args.data)}
    found = inspect(data, format=recognise(args.data).name, parts=others)
    print(json.dumps(asdict(found)) if args.json else "\n".join(found.lines()))
