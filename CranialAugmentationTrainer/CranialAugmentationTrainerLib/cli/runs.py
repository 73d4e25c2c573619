"""``cranial runs``: the training runs in a folder, and what becomes of them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from CranialAugmentationTrainerLib.cli.in_words import duration_in_words, number_in_words
from CranialReconstructionLib.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial runs``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the runs in a folder")
    listing.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="(here)")
    listing.set_defaults(act=_list)
    show = actions.add_parser("show", help="settings, losses, rate, warnings and previews of a run")
    show.set_defaults(act=_show)
    stop = actions.add_parser("stop", help="ask a run to stop, with a checkpoint, after the step that it is at")
    stop.set_defaults(act=_stop)
    resume = actions.add_parser("resume", help="go on with a run from its last checkpoint")
    resume.set_defaults(act=_resume)
    for action in (show, stop, resume):
        action.add_argument("run_folder", type=Path, metavar="RUN", help="run folder")
    for action in (listing, show, stop):
        action.add_argument("--json", action="store_true", help="print JSON for scripts")
    resume.add_argument(
        "--data", type=Path, action="append", metavar="FOLDER", help="where the data sets lie now (where they were)"
    )
    resume.add_argument("--cache", type=Path, metavar="FOLDER", help="where resampled skulls are kept (RUN/cache)")
    resume.add_argument("--steps", type=int, metavar="N", help="train a generator on, to this step")


def _run(options: argparse.Namespace) -> int:
    return int(options.act(options))


def _list(options: argparse.Namespace) -> int:
    from CranialAugmentationTrainerLib.training.run_state import find_runs

    runs = find_runs(options.folder)
    if options.json:
        rows = [{key: value for key, value in run.as_json().items() if key != "configuration"} for run in runs]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    if not runs:
        print(f"No runs in {options.folder}.", file=sys.stderr)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("run", "method", "preset", "state", "step", "loss", "s/step", "left", "warnings")
    for run in runs:
        table.add_row(
            run.folder,
            run.method,
            run.preset,
            run.state,
            f"{run.step} of {run.steps}",
            number_in_words(run.losses.get("loss")),
            number_in_words(run.seconds_a_step),
            duration_in_words(run.seconds_left) if run.state == "running" else "",
            str(len(run.warnings) or ""),
        )
    # A pipe has no width of its own; the table must not lose words in it.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def _show(options: argparse.Namespace) -> int:
    from CranialAugmentationTrainerLib.training.run_state import read_run

    run = read_run(options.run_folder)
    if options.json:
        print(json.dumps(run.as_json(), indent=2, ensure_ascii=False))
        return 0
    lines = [
        f"run        {run.folder}",
        f"method     {run.method} {run.preset}".rstrip(),
        f"state      {run.state}" + (f": {run.cause}" if run.cause else ""),
        f"step       {run.step} of {run.steps}",
        f"rate       {number_in_words(run.seconds_a_step)} s a step, {duration_in_words(run.seconds_left)} left",
        f"process    {run.pid} on {run.host}",
        f"checkpoint {run.checkpoint or 'none yet'}",
        f"preview    {run.preview or 'none yet'}",
        *(f"losses     {name} {number_in_words(value)}" for name, value in run.losses.items()),
        *(f"figures    {name} {number_in_words(value)}" for name, value in run.figures.items()),
        *(f"warning    {problem}" for problem in run.warnings),
    ]
    if run.left_out:
        lines.append(f"left out   {run.left_out} cases; the events tell why")
    print("\n".join(lines))
    print("settings")
    print("\n".join(f"  {name} = {json.dumps(value)}" for name, value in run.configuration.items()))
    return 0


def _stop(options: argparse.Namespace) -> int:
    from CranialAugmentationTrainerLib.training.run_state import ask_to_stop

    run = ask_to_stop(options.run_folder)
    if options.json:
        print(json.dumps({"folder": run.folder, "asked": True, "step": run.step}))
    else:
        print(f"Asked {run.folder} to stop; it was at step {run.step}.")
    return 0


def _resume(options: argparse.Namespace) -> int:
    from CranialAugmentationTrainerLib.cli.train import tell_ending
    from CranialAugmentationTrainerLib.training.resuming import resume
    from CranialAugmentationTrainerLib.training.run_folder import RunFolder
    from CranialReconstructionLib.cli.progress import StageLine

    folder = RunFolder(options.run_folder, StageLine())
    return tell_ending(resume(folder, options.data or (), options.cache, options.steps), options.run_folder)


COMMAND = Command("List, show, stop and resume training runs.", add_arguments, _run)
