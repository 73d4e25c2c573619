"""What a command of ``cranial`` is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One word after ``cranial``, found through the entry points of group ``cranial.commands``.

    Attributes:
        summary: one line for ``cranial --help``.
        add_arguments: declares the command's options on its own parser.
        run: does the work. Prints results on standard output and everything else on standard
            error; raises ``UserError`` for what the user can mend. What it returns is the exit status.
    """

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
