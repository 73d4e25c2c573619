"""The animated picture of a way through a latent space, which ``cranial interpolate`` writes beside its steps."""

from __future__ import annotations

import shutil
from pathlib import Path

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file

NAME = "interpolation.gif"


def animated_picture(folder: Path) -> Path:
    """The picture of the way in ``folder``.

    Raises:
        UserError: it is gone, or another computer has it.
    """
    path = folder / NAME
    if not path.is_file():
        raise UserError("the animated picture is not there", where=str(path), remedy="Interpolate again.")
    return path


def save_animated_picture(folder: Path, target: Path) -> None:
    """Copy the picture to ``target``, whole or not at all.

    Raises:
        UserError: it is gone, or ``target`` cannot be written.
    """
    picture = animated_picture(folder)
    try:
        with whole_file(target) as part:
            shutil.copyfile(picture, part)
    except OSError as error:
        raise UserError(
            f"it cannot be written ({error.strerror or error})", where=str(target), remedy="Choose another place."
        ) from error
