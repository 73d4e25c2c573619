"""Bringing what the worker needs into a Python, after asking: Slicer's own way for Slicer's own Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from CranialReconstructionLib.engine.environment import (
    REQUIREMENTS,
    Requirement,
    install_command,
    missing_packages,
    own_python,
    probe,
    worker_environment,
)
from CranialReconstructionLib.errors import UserError

Log = Callable[[str], None]


def lacking(python: Path, requirements: Sequence[Requirement] = REQUIREMENTS) -> tuple[Requirement, ...]:
    """What ``python`` lacks of ``requirements``, the worker's without them.

    Raises:
        UserError: it is no Python that can be used.
    """
    return missing_packages(probe(python, worker_environment(python), requirements), requirements)


def install(
    python: Path,
    log: Log,
    finished: Callable[[int], None],
    wheels: Path | None = None,
    requirements: Sequence[Requirement] = REQUIREMENTS,
) -> bool:
    """Install what is missing; False where the user does not want it.

    Slicer's own Python gets torch through the PyTorch extension and the rest through ``slicer.packaging``.
    Another Python, and any from a folder of wheels, is served by its own pip; ``finished`` gets its exit code.

    Raises:
        UserError: no usable Python, no wheels, or the PyTorch extension is missing.
    """
    missing = lacking(python, requirements)
    if not missing:
        finished(0)
        return True
    if python == own_python() and wheels is None:
        return _install_in_slicer(missing, log, finished)
    names = "\n".join(str(requirement) for requirement in missing)
    question = _("These packages are missing in {python}:\n\n{names}\n\nInstall them now?")
    if not slicer.util.confirmOkCancelDisplay(question.format(python=python, names=names)):
        return False
    slicer.util.launchConsoleProcess(
        install_command(python, missing, wheels),
        useStartupEnvironment=False,
        updateEnvironment=worker_environment(python),
        blocking=False,
        logCallback=log,
        completedCallback=finished,
    )
    return True


def _install_in_slicer(missing: tuple[Requirement, ...], log: Log, finished: Callable[[int], None]) -> bool:
    import slicer.packaging

    torch = [requirement for requirement in missing if requirement.name == "torch"]
    if torch:
        if not slicer.app.moduleManager().module("PyTorchUtils"):
            raise UserError(
                "the PyTorch extension is not installed",
                where="PyTorchUtils",
                remedy="Install it in the Extensions Manager and restart, or choose another Python environment.",
            )
        import PyTorchUtils

        # The extension imports torch to look at what it has installed. Whether that goes well here does not
        # matter: the worker is a process of its own, and it is looked at there.
        wanted = f">={torch[0].least}"
        if PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=wanted) is None:
            return False
        log(_("PyTorch is installed."))
    rest = [str(requirement) for requirement in missing if requirement.name != "torch"]
    if rest:
        # MONAI names torch as a requirement of its own; the one that is there by now satisfies it.
        slicer.packaging.pip_ensure(rest, requester="Cranial Reconstruction", prompt_restart=False)
    finished(0)
    return True
