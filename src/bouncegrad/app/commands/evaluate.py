"""`bouncegrad evaluate RUN DATA`."""

from __future__ import annotations

import json

from jsonargparse import Namespace

from bouncegrad.app import regression
from bouncegrad.app.arguments import add_data_options, add_device_option, add_json_option
from bouncegrad.app.parser import Parser
from bouncegrad.app.progress import bar
from bouncegrad.app.recordings import load_data, require_groups_used, warn_if_unfinished
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import fingerprint


def main(words: list[str]) -> None:
    """Prints the measures of a model beside those of the baselines."""
    if any(map(regression.is_run, words)):
        return regression.evaluate(words)
    parser = Parser("evaluate")
    parser.add_argument("run", type=str, help="run folder of a trained model")
    parser.add_argument("data", type=str, help="file or folder; of the training data only held-out tasks are used")
    parser.add_argument("--context", type=int | None, help="number of frames to read (default: as in training)")
    parser.add_argument(
        "--protocol",
        type=str,
        default="free",
        metavar="{free,kipf,alet}",
        help="where forecasts begin: free (at the last context frame); or as published, kipf (20 frames from the frame "
        "after the context) or alet (10 frames from every 10th frame of the context)",
    )
    parser.add_argument(
        "--system", type=str | None, help="the system of simulated recordings, to print how far the energy drifts"
    )
    parser.add_argument("--inner_steps", type=int | None, help="only for runs on regression tasks: steps of adaptation")
    add_json_option(parser)
    add_data_options(parser)
    add_device_option(parser)
    args = parser.parse_args(words)
    if args.inner_steps is not None:
        raise InputError(f"option inner_steps: {args.run} is no run on regression tasks; leave it out")

    from bouncegrad.models.evaluation import evaluate
    from bouncegrad.models.model import Model
    from bouncegrad.settings.devices import computing

    with computing(args.device, None):
        model = Model.load(args.run)
        warn_if_unfinished(Run(args.run))
        data, split = test_tasks(Run(args.run), args.data, args)
        with bar("inferring", not args.json) as shown:
            evaluation = evaluate(model, data, args.context, split, args.protocol, shown, args.system)
    numbers = evaluation.numbers
    if args.json:
        print(json.dumps(numbers))
        return

    from bouncegrad.app.measures import describe_split
    from bouncegrad.app.tables import evaluation_tables
    from bouncegrad.results.result import DETERMINED

    print(describe_split(numbers))
    for line in numbers["unlike"]:
        print(f"warning: {line}; no edge is called sure")
    if evaluation.result.verdict is not None:
        print("\n".join(evaluation.result.verdict.lines()))
    if numbers["regression_auroc"] is not None:
        print(f"AUROC of the graph that the verdict names, that of the regression: {numbers['regression_auroc']:.4f}")
    print(f"{evaluation_tables(numbers)}\n")
    if numbers["reliability"]:
        bins = [f"{stated:.0%} stated, {right:.0%} right ({n:,})" for stated, right, n in numbers["reliability"]]
        print(f"edges by the probability of their type: {'; '.join(bins)}")
    if numbers["undetermined"]:
        print(f"undetermined, with no type at {DETERMINED:.0%}: {numbers['undetermined']:.1%} of the edges")
    if numbers["relabelling"] is not None:
        print(f"inferred types 0, 1, ... were relabelled to {numbers['relabelling']}, once for all tasks")


def test_tasks(run: Run, path: str, args: Namespace) -> tuple[Trajectories, str]:
    """Returns the tasks that a run is evaluated on, and their description; of the training data only held-out tasks."""
    require_groups_used(args, run.config())
    about = run.about()
    notes, trained = not getattr(args, "json", True), tuple(about["features"])
    data, part = load_data(path, args, "test", print_notes=notes, trained=trained)
    if part is not None:
        return data, f"part {part} of {path}"
    if fingerprint(data) != about["fingerprint"]:
        return data, f"all tasks of {path}"
    if about["held_out"]:
        with run.consistent():
            return data.select(about["held_out"]), f"tasks of {path} held out of training"
    return data, f"TRAINING tasks of {path}"
