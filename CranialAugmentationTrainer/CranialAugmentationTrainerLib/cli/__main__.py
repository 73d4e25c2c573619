"""``python -m CranialAugmentationTrainerLib.cli``: this library's commands, where nothing is installed.

In Slicer the libraries lie in a folder, without the entry points of a package.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

from CranialReconstructionLib.cli.main import main

COMMANDS = (
    "check-data",
    "estimate-run",
    "train",
    "runs",
    "train-reconstruction",
    "register-pairs",
    "mask-defects",
    "generate",
    "interpolate",
    "embed",
    "set-statistics",
    "package-generator",
    "package-model",
    "compare-networks",
    "package-network",
)


def points() -> list[EntryPoint]:
    """The commands as an installed package names them."""
    room = "CranialAugmentationTrainerLib.cli"
    return [EntryPoint(name, f"{room}.{name.replace('-', '_')}:COMMAND", group="cranial.commands") for name in COMMANDS]


if __name__ == "__main__":
    sys.exit(main(commands=points()))
