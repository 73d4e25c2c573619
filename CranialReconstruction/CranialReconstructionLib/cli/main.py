"""``cranial``: one command line for both modules."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from CranialReconstructionLib import __version__
from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.errors import UserError

USER_ERROR = 2
INTERRUPTED = 130

# What the system refuses anywhere is no bug, and the user can mend it.
MENDABLE = {
    errno.EACCES: "Check the rights on it.",
    errno.EPERM: "Check the rights on it.",
    errno.EROFS: "Choose a place that can be written to.",
    errno.ENOSPC: "Free some space.",
}


def main(arguments: list[str] | None = None, commands: Iterable[EntryPoint] | None = None) -> int:
    """Run one command; 0 for success, 2 for what the user can mend, 130 for Ctrl-C.

    Args:
        commands: to choose from; those of all installed libraries without it.
    """
    try:
        points = entry_points(group="cranial.commands") if commands is None else commands
        options = _parsed(sys.argv[1:] if arguments is None else arguments, points)
        return int(options.run(options))
    except UserError as error:
        print(f"cranial: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("cranial: interrupted; nothing half-written was left behind.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        print(f"cranial: {error.filename or 'a file'}: {error.strerror}. {MENDABLE[error.errno]}", file=sys.stderr)
        return USER_ERROR


def _parsed(words: list[str], points: Iterable[EntryPoint]) -> argparse.Namespace:
    commands = {point.name: point for point in points}
    parser = argparse.ArgumentParser(
        prog="cranial",
        description="Missing skull bone from a CT or a skull mask. Research use only.",
    )
    parser.add_argument("--version", action="version", version=f"cranial {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if word in commands), None)
    for name, point in sorted(commands.items()):
        # Only the chosen command is filled in: torch and monai take seconds to import.
        command: Command = point.load()
        subparser = subparsers.add_parser(name, help=command.summary, description=command.summary)
        if name == chosen:
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
