"""`bouncegrad infer RUN DATA --out RESULT`."""

from __future__ import annotations

import json
import sys
import time

from bouncegrad.app.arguments import add_device_option, add_drawn_options, add_known_option, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.progress import bar
from bouncegrad.app.recordings import load_known, load_new, new_folder, warn_if_unfinished
from bouncegrad.app.score_tables import agreement_line
from bouncegrad.data.errors import InputError
from bouncegrad.runs.folder import Run


def main(words: list[str]) -> None:
    """Writes RESULT/edges.csv, result.npz and a picture of one graph."""
    parser = Parser("infer")
    add_drawn_options(parser)
    add_known_option(parser)
    parser.add_argument(
        "--window",
        type=int,
        metavar="FRAMES",
        help="infer one graph for each window of this many frames, with the evidence of neighbouring windows (default: "
        "one graph for all frames)",
    )
    parser.add_argument(
        "--distilled",
        action="store_true",
        help="answer by the encoder that bouncegrad distil made: one pass, no search",
    )
    add_device_option(parser)
    args = parser.parse_args(words)
    if args.distilled and (args.window is not None or args.known is not None):
        other = "known" if args.window is None else "window"
        raise InputError(f"option distilled: the encoder does not know --{other}; leave out one of the two")

    from bouncegrad.app.pictures import graph_picture, task_number
    from bouncegrad.models.distilled import Distilled
    from bouncegrad.models.evaluation import judgement
    from bouncegrad.models.held_out import with_verdict
    from bouncegrad.models.model import Model
    from bouncegrad.models.windows import infer_windows
    from bouncegrad.results.agreement import model_agreement, scored
    from bouncegrad.results.block_regression import regress_blocks
    from bouncegrad.results.export import write_edges_csv
    from bouncegrad.results.regression_edges import Doubts, doubts_of, write_regression_edges
    from bouncegrad.results.result import DETERMINED
    from bouncegrad.settings.devices import computing

    with computing(args.device, None):
        model = Model.load(args.run)
        warn_if_unfinished(Run(args.run))
        data, part = load_new(args, model)
        task, known = task_number(data, args.task), load_known(args, data)
        start = time.perf_counter()
        if args.distilled:
            result = Distilled.load(model, args.run).infer(data, args.context)
        elif args.window is None:
            with bar("inferring", not (args.json or args.quiet)) as shown:
                result = model.infer(data, args.context, known, shown)
            result = with_verdict(model, data.frames(0, args.context), result)
        else:
            result = infer_windows(model, data, args.window, args.context, known)
        seconds = time.perf_counter() - start
    if args.window is not None:
        task *= len(result.tasks) // len(data.tasks)  # the first window of the task
    if args.window is None and data.edges is None:
        result = scored(result, data)
    agrees = {} if result.scores is None else model_agreement(result)
    folder = new_folder(args.out)
    result.save(folder / "result.npz")
    write_edges_csv(result, folder / "edges.csv")
    pinned = model.config.pinned
    graph_picture(result, task, folder / "graph.svg", 0 if pinned else None)
    files = [str(folder / name) for name in ("edges.csv", "result.npz", "graph.svg")]
    doubts = Doubts()
    if result.verdict is not None and result.verdict.kind == "regression" and args.window is None:
        found = regress_blocks(data)
        write_regression_edges(found, data.entities, folder / "regression_edges.csv")
        files.insert(1, str(folder / "regression_edges.csv"))
        doubts = doubts_of(found, data.entities)
    m, n = result.edges.shape[:2]
    undetermined = float(result.undetermined.sum() / (m * n * (n - 1)))
    if args.json:
        about = {"tasks": m, "entities": n, "context_frames": result.context, "part": part, "seconds": seconds}
        about |= {"undetermined": undetermined, **judgement(result), **doubts._asdict(), "agreement": agrees}
        print(json.dumps(about | {"priors": list(result.priors), "chosen_priors": list(result.chosen), "files": files}))
        return
    what = "tasks" if args.window is None else "windows"
    print_line = printer(args.quiet)
    print_line(f"{m} {what} of {n} entities from {result.context} frames each, {seconds:.1f} s")
    for line in result.unlike:
        print(f"warning: {line}; no edge is called sure", file=sys.stderr)
    if result.verdict is not None:
        print_line(result.verdict.sentence)
    for line in doubts.lines():
        print_line(line)
    if undetermined:
        print_line(f"{undetermined:.1%} of the edges are undetermined: no type reaches a probability of {DETERMINED:g}")
    if model.config.edge_types == 1:
        print_line("there is one edge type: all pairs interact in the same way, or not at all")
    elif not pinned:
        print_line("no type is known to mean absence; train with --pinned, then type 0 means it")
    if agrees:
        print_line(f"rank correlation with simple scores: {agreement_line(agrees)}")
    for origin, priors in result.origins.items():
        print_line(f"{origin}: {priors}")
    print("\n".join(f"wrote {file}" for file in files))
