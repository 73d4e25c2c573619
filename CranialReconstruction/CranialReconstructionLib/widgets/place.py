"""Where the computing is done: Slicer's Python or another one of the user's, remembered between sessions."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer

from CranialReconstructionLib.engine.environment import own_python

_OTHER = "CranialReconstruction/OtherPython"
_PYTHON = "CranialReconstruction/Python"


def uses_other_python() -> bool:
    """Whether another Python than Slicer's is chosen."""
    return bool(slicer.util.settingsValue(_OTHER, False, converter=slicer.util.toBool))


def other_python() -> str:
    """The other Python that was given; empty before."""
    return str(slicer.util.settingsValue(_PYTHON, ""))


def choose(other: bool, python: str) -> None:
    """Remember the choice."""
    settings = qt.QSettings()
    settings.setValue(_OTHER, other)
    settings.setValue(_PYTHON, python)


def chosen_python() -> Path:
    """The Python that runs the worker."""
    return Path(other_python()) if uses_other_python() and other_python() else own_python()
