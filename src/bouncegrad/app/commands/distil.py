"""`bouncegrad distil RUN DATA`."""

from __future__ import annotations

import json

from bouncegrad.app.arguments import add_data_options, add_json_option, add_quiet_option, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.progress import bar
from bouncegrad.app.recordings import load_data, require_groups_used, warn_if_unfinished
from bouncegrad.runs.folder import Run


def main(words: list[str]) -> None:
    """Writes RUN/distilled.pt, which `infer --distilled` answers with."""
    parser = Parser("distil")
    parser.add_argument("run", type=str, help="run folder of a trained model")
    parser.add_argument(
        "data", type=str, help="recordings to learn from, at least 20, better thousands; labels are not read"
    )
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="time of learning; the model answers the recordings before"
    )
    parser.add_argument("--passes", type=int | None, help="passes over the recordings, in place of minutes")
    parser.add_argument("--hidden", type=int, default=32, help="width of the encoder")
    parser.add_argument(
        "--mirror", action="store_true", help="mirror or turn recordings, which helps if the law has no direction"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of every random draw")
    add_json_option(parser)
    add_quiet_option(parser)
    add_data_options(parser, train=True)
    args = parser.parse_args(words)

    from bouncegrad.app.signals import stop_signal
    from bouncegrad.fitting.distillation import Distillation, distil
    from bouncegrad.models.model import Model

    names = ("hidden", "minutes", "passes", "mirror", "seed")
    settings = Distillation(**{name: getattr(args, name) for name in names})
    model = Model.load(args.run)
    warn_if_unfinished(Run(args.run))
    require_groups_used(args, model.config)
    data, _ = load_data(args.data, args, "train")
    with bar("distilling", not (args.json or args.quiet)) as show, stop_signal() as stopped:
        made = distil(model, data, settings, show, stopped)
    path, about = made.save(args.run), made.about
    if args.json:
        print(json.dumps(about | {"files": [str(path)]}))
        return
    print_line = printer(args.quiet)
    print_line(f"the model answered {len(data.tasks)} recordings in {about['seconds_of_the_model']:.1f} s")
    print_line(
        f"the encoder made {about['passes']:g} passes over {about['tasks']} of them; on the other {about['kept']} it "
        f"names the same type as the model for {about['agreement']:.1%} of the edges"
    )
    print(f"wrote {path}")
    print_line(f"answer new recordings with: bouncegrad infer {args.run} DATA --distilled --out RESULT")
