"""`bouncegrad simulate SYSTEM --tasks M --out FILE`."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.app.arguments import add_quiet_option
from bouncegrad.app.parser import Parser
from bouncegrad.app.progress import bar
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import save
from bouncegrad.data.formats.edge_table import edges_path
from bouncegrad.data.simulate import GRAPHS, SYSTEMS, simulate


def main(words: list[str]) -> None:
    """Simulates and writes one file."""
    systems = "\n".join(f"  {name}: {system.description}" for name, system in SYSTEMS.items())
    graphs = "\n".join(f"  {name}: {description}" for name, description in GRAPHS.items())
    parser = Parser("simulate", epilog=f"systems:\n{systems}\n\ngraphs:\n{graphs}")
    parser.add_argument("system", type=str, help="the system to simulate, see below")
    parser.add_argument("--tasks", type=int, required=True, help="number of simulations")
    parser.add_argument("--out", type=str, required=True, help="file (.npz or .csv) or folder (.mmap) to write")
    parser.add_argument("--entities", type=int, default=5, help="entities per task")
    parser.add_argument("--frames", type=int, default=49, help="frames per task")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random draw")
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation of observation noise")
    parser.add_argument(
        "--graph", type=str, default="random", metavar="KIND", help="graph: random, er, ba or ws, see below"
    )
    parser.add_argument("--density", type=float | None, help="probability of a link in the graph er (default: 0.1)")
    parser.add_argument("--shared", action="store_true", help="one graph for all tasks")
    parser.add_argument(
        "--directed",
        action="store_true",
        help="the directions of a pair may differ: drawn independently (random, er), or one for each link (ba, ws)",
    )
    parser.add_argument(
        "--threads", type=int | None, help="number of threads (default: all cores); it does not change the result"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_quiet_option(parser)
    args = parser.parse_args(words)
    out = Path(args.out)
    if out.suffix not in (".npz", ".csv", ".mmap"):
        raise InputError(f"{out}: no format by this name; name it .npz, .csv or .mmap")
    for file in (out, edges_path(out)) if out.suffix == ".csv" else (out,):
        if file.exists() and not args.force:
            raise InputError(f"{file}: exists already; choose another --out or add --force")
    with bar(f"simulating {args.system}", shown=not args.quiet) as show:
        data = simulate(
            args.system,
            args.tasks,
            entities=args.entities,
            frames=args.frames,
            seed=args.seed,
            noise=args.noise,
            directed=args.directed,
            graph=args.graph,
            density=args.density,
            shared=args.shared,
            threads=args.threads,
            progress=lambda done, total: show(done / total, f"{done:,} of {total:,} tasks"),
        )
    save(data, out)
    print(f"wrote {out}" if args.quiet else f"{out}: {data.summary()}")
