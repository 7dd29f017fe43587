"""`bouncegrad unseen RUN DATA --out RESULT`."""

from __future__ import annotations

import json
import time
from typing import Any

from bouncegrad.app.arguments import add_drawn_options, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import load_new, new_folder, warn_if_unfinished
from bouncegrad.runs.folder import Run


def main(words: list[str]) -> None:
    """Writes RESULT/tracks.csv, edges.csv, unseen.npz, result.npz and a picture of one task."""
    parser = Parser("unseen")
    add_drawn_options(parser, "file or folder of recordings in which an entity is missing")
    parser.add_argument(
        "--count",
        type=int | None,
        help="number of unseen entities (default: 0, 1 or 2, by the error on held-out frames)",
    )
    parser.add_argument(
        "--hide",
        type=str | None,
        metavar="ENTITY",
        help="name of a recorded entity to hide, to measure how well it is found",
    )
    args = parser.parse_args(words)

    from bouncegrad.app.pictures import task_number, unseen_picture
    from bouncegrad.app.progress import bar
    from bouncegrad.models.model import Model
    from bouncegrad.models.unseen import unseen
    from bouncegrad.results.export import write_edges_csv
    from bouncegrad.results.hidden import compared, hide

    model = Model.load(args.run)
    warn_if_unfinished(Run(args.run))
    data, part = load_new(args, model)
    data = model.adopted(data)
    task = task_number(data, args.task)
    visible, whole = (data, None) if args.hide is None else hide(data, args.hide)
    count = args.count or (None if args.hide is None else 1)
    start = time.perf_counter()
    with bar("searching", shown=not args.quiet) as show:
        found = unseen(model, visible, count, args.context, show)
    seconds = time.perf_counter() - start
    numbers: dict[str, Any] = {}
    if whole is not None and found.tracks.shape[2] == 1:
        numbers = compared(found, whole, model.scaling.published(), model.config.edge_types, pinned=model.config.pinned)
    folder = new_folder(args.out)
    found.write_csv(folder / "tracks.csv")
    write_edges_csv(found.result, folder / "edges.csv")
    found.save(folder / "unseen.npz")
    found.result.save(folder / "result.npz")
    unseen_picture(found, visible, whole, task, folder / "unseen.svg")
    files = [str(folder / name) for name in ("tracks.csv", "edges.csv", "unseen.npz", "result.npz", "unseen.svg")]
    if args.json:
        about = {"tasks": len(data.tasks), "unseen": len(found.unseen), "part": part, "seconds": seconds}
        quality = {"determined": float(found.determined.mean()), "errors_by_count": found.errors}
        print(json.dumps(about | quality | numbers | {"files": files}))
        return
    print_line = printer(args.quiet)
    for assumed, error in found.errors.items():
        print_line(f"{assumed} unseen: error of the visible entities on held-out frames {error:.3g}, scaled to [-1, 1]")
    print_line(
        f"{len(data.tasks)} tasks, {len(found.unseen)} unseen, track determined in {found.determined.mean():.0%}, "
        f"{seconds:.0f} s"
    )
    for row in numbers.get("by_degree", []):
        errors = f"error of its track {row['track_error']:.3g} (centre of the visible {row['centre_error']:.3g})"
        right = f"its edges right {row['hidden_edge_accuracy']:.3f}"
        print_line(f"interacts with {row['interacts_with']}: {row['tasks']} tasks, {errors}, {right}")
    print("\n".join(f"wrote {file}" for file in files))
