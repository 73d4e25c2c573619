"""Which Python runs the worker: Slicer's own or another of the user's, what it has, and what it lacks."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import CranialReconstructionLib
from CranialReconstructionLib.engine.records import MisfitError, from_json
from CranialReconstructionLib.errors import UserError

OLDEST_PYTHON = (3, 11)
# A virus scanner may look at a whole Python before its first start.
PROBE_SECONDS = 60.0

_LIBRARY = Path(CranialReconstructionLib.__file__).resolve().parent
_WORKER = "CranialReconstructionLib.engine.worker"

# What Slicer's launcher sets for Slicer, and another Python must not see. Of the lists of folders, those
# that lie in the application are taken out.
_REMOVED = ("PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONSTARTUP", "QT", "QML")
_FOLDER_LISTS = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH")


@dataclass(frozen=True)
class Requirement:
    """A package that the worker needs: its name, its first module, and the lowest version."""

    name: str
    module: str
    least: str

    def __str__(self) -> str:
        return f"{self.name}>={self.least}"


# The library's own, as pyproject.toml has them, without those of the command line.
REQUIREMENTS = (
    Requirement("einops", "einops", "0.8"),
    Requirement("highdicom", "highdicom", "0.26"),
    Requirement("manifold3d", "manifold3d", "3.2"),
    Requirement("monai", "monai", "1.5"),
    Requirement("nibabel", "nibabel", "5.2"),
    Requirement("numpy", "numpy", "1.26"),
    Requirement("pillow", "PIL", "10.0"),
    Requirement("pydicom", "pydicom", "3.0"),
    Requirement("reportlab", "reportlab", "4.2"),
    Requirement("safetensors", "safetensors", "0.4"),
    Requirement("scikit-image", "skimage", "0.24"),
    Requirement("scipy", "scipy", "1.13"),
    Requirement("SimpleITK", "SimpleITK", "2.4"),
    Requirement("torch", "torch", "2.4"),
    Requirement("vtk", "vtk", "9.4"),
)

# Runs in any Python 3, so that one that is too old can say so. A package without metadata, as Slicer's
# vtk may be, has an empty version.
_PROBE = """
import json, platform, sys
from importlib.util import find_spec
try:
    from importlib.metadata import PackageNotFoundError, version
except ImportError:
    version = None
found = {}
for name, module in json.loads(sys.argv[1]):
    if find_spec(module) is not None:
        found[name] = ""
        if version is not None:
            try:
                found[name] = version(name) or ""
            except (PackageNotFoundError, KeyError):
                pass
print(json.dumps({"python": list(sys.version_info[:3]), "bits": 64 if sys.maxsize > 2**32 else 32,
    "machine": platform.machine(), "executable": sys.executable, "packages": found}))
"""


@dataclass(frozen=True)
class Probe:
    """What a Python says of itself.

    Attributes:
        python: its version.
        bits: 32 or 64.
        machine: what it is built for, as ``platform.machine`` names it.
        executable: its own path.
        packages: version of each package asked for that it has; empty where that is not known.
    """

    python: tuple[int, int, int]
    bits: int
    machine: str
    executable: str
    packages: Mapping[str, str]


def own_python() -> Path:
    """The Python of this process: Slicer's launcher of it, or the interpreter itself."""
    launcher = shutil.which("PythonSlicer")
    return Path(launcher or sys.executable)


def probe(
    python: Path,
    environment: Mapping[str, str] | None = None,
    requirements: Sequence[Requirement] = REQUIREMENTS,
) -> Probe:
    """Run ``python`` and ask for its versions; takes a fraction of a second, imports no package.

    Args:
        environment: as of ``worker_environment``.
        requirements: what is asked for.

    Raises:
        UserError: it is no Python, does not run here, is too old, or is a 32-bit program.
    """
    modules = json.dumps([(requirement.name, requirement.module) for requirement in requirements])
    try:
        done = subprocess.run(
            [str(python), "-c", _PROBE, modules],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            env=None if environment is None else dict(environment),
            check=False,
        )
    except OSError as error:
        raise _refused(python, _why_it_does_not_run(error)) from error
    except subprocess.TimeoutExpired as error:
        raise _refused(python, f"it gave no answer within {PROBE_SECONDS:.0f} seconds") from error
    answer = done.stdout.strip().rpartition("\n")[2]
    try:
        found = from_json(Probe, json.loads(answer))
    except (ValueError, TypeError, MisfitError) as error:
        said = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2][:200]
        raise _refused(python, "it is not a working Python" + (f" (it says: {said})" if said else "")) from error
    version = ".".join(str(number) for number in found.python)
    if found.python[:2] < OLDEST_PYTHON:
        oldest = ".".join(str(number) for number in OLDEST_PYTHON)
        raise _refused(python, f"it is Python {version}, and {oldest} or later is needed")
    if found.bits != 64:
        raise _refused(python, f"it is a 32-bit Python ({found.machine}), for which there is no PyTorch")
    return found


def missing_packages(found: Probe, requirements: Sequence[Requirement] = REQUIREMENTS) -> tuple[Requirement, ...]:
    """What is needed and the Python lacks, or has too old."""
    return tuple(
        requirement
        for requirement in requirements
        if requirement.name not in found.packages or _older(found.packages[requirement.name], requirement.least)
    )


def install_command(python: Path, requirements: Sequence[Requirement], wheels: Path | None = None) -> list[str]:
    """The command that installs ``requirements``.

    Args:
        wheels: folder of wheel files to take them, and all that they need, from; no network is used then.

    Raises:
        UserError: the folder holds no wheels.
    """
    source: list[str] = []
    if wheels is not None:
        if not any(wheels.glob("*.whl")):
            raise UserError(
                "the folder holds no wheels (*.whl)",
                where=str(wheels),
                remedy="Fill it with `pip download` on a computer of the same kind that has a network.",
            )
        source = ["--no-index", "--find-links", str(wheels)]
    options = ["--no-input", "--disable-pip-version-check"]
    return [str(python), "-m", "pip", "install", *options, *source, *(str(entry) for entry in requirements)]


def worker_command(python: Path) -> list[str]:
    """The command that starts the worker."""
    return [str(python), "-m", _WORKER]


def worker_environment(
    python: Path, environment: Mapping[str, str] | None = None, application: Path | None = None
) -> dict[str, str]:
    """The environment variables that the worker runs with.

    Args:
        python: that runs it. What Slicer's launcher has set is kept for Slicer's own only.
        environment: to start from; this process's without it.
        application: Slicer's folder; by default what ``SLICER_HOME`` says.
    """
    start = dict(os.environ if environment is None else environment)
    home = application or (Path(start["SLICER_HOME"]) if start.get("SLICER_HOME") else None)
    own = python == own_python()
    kept = start if own else _cleaned(start, home)
    paths = [str(_LIBRARY.parent), *([kept["PYTHONPATH"]] if kept.get("PYTHONPATH") else [])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        # The folder that the user works in may hold a "random.py".
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }


def _cleaned(environment: Mapping[str, str], home: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith(_REMOVED)}
    for name in _FOLDER_LISTS:
        if name in kept and home is not None:
            folders = [folder for folder in kept[name].split(os.pathsep) if not _within(folder, home)]
            kept[name] = os.pathsep.join(folders)
            # An empty list of libraries would mean the folder that the user works in.
            if not folders:
                del kept[name]
    return kept


def _within(folder: str, home: Path) -> bool:
    return bool(folder) and Path(folder).absolute().is_relative_to(home.absolute())


def _why_it_does_not_run(error: OSError) -> str:
    # ENOEXEC on Linux; "bad CPU type" on macOS; the two of Windows, which has them as winerror.
    foreign = (errno.ENOEXEC, getattr(errno, "EBADARCH", errno.ENOEXEC))
    if error.errno in foreign or getattr(error, "winerror", None) in (193, 216):
        return "it is not a program of this kind of computer"
    return f"it cannot be run ({error.strerror or error})"


def _refused(python: Path, problem: str) -> UserError:
    return UserError(problem, where=str(python), remedy="Choose the python of an environment with PyTorch and MONAI.")


def _older(version: str, least: str) -> bool:
    """Whether a version is below the least one; one that is not known counts as new enough."""
    return bool(version) and _numbers(version) < _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    """The release's numbers, without zeros at the end: 10 is 10.0."""
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in release.group().split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
