"""`bouncegrad infer RUN DATA --out RESULT`."""

from __future__ import annotations

import json
import time

from bouncegrad.app.arguments import Parser, add_data_options, add_known_option, load_data, load_known, new_folder
from bouncegrad.app.run import Run


def main(words: list[str]) -> None:
    """Writes RESULT/edges.csv and RESULT/result.npz."""
    parser = Parser("infer")
    parser.add_argument("run", type=str, help="run folder of a trained model")
    parser.add_argument("data", type=str, help="file or folder of recordings")
    parser.add_argument("--out", type=str, required=True, help="folder to write")
    parser.add_argument("--context", type=int | None, help="frames that are looked at (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_known_option(parser)
    add_data_options(parser)
    args = parser.parse_args(words)

    from bouncegrad.app.model import Model
    from bouncegrad.results.export import write_edges_csv
    from bouncegrad.results.result import DETERMINED

    model = Model.load(args.run)
    Run(args.run).warn_if_unfinished()
    data, part = load_data(args.data, args, "test")
    start = time.perf_counter()
    result = model.infer(data, args.context, load_known(args, data))
    seconds = time.perf_counter() - start
    folder = new_folder(args.out)
    result.save(folder / "result.npz")
    write_edges_csv(result, folder / "edges.csv")
    files = [str(folder / name) for name in ("edges.csv", "result.npz")]
    m, _, n, _ = data.shape
    open_share = float(result.undetermined.sum() / (m * n * (n - 1)))
    if args.json:
        about = {"tasks": m, "entities": n, "context_frames": result.context, "part": part, "seconds": seconds}
        about["undetermined"] = open_share
        print(json.dumps(about | {"priors": list(result.priors), "files": files}))
        return
    print(f"{m} tasks of {n} entities from {result.context} frames each, {seconds:.1f} s")
    if open_share:
        print(f"{open_share:.1%} of the edges are undetermined: no type reaches a probability of {DETERMINED:g}")
    if result.priors:
        print(f"stated beforehand: {', '.join(result.priors)}")
    print("\n".join(f"wrote {file}" for file in files))
