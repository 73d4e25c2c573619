"""What can go wrong with a job: its cause in plain words, the next step, and which second tries make sense."""

from __future__ import annotations

import errno
import signal
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from CranialReconstructionLib.engine.protocol import Failure
from CranialReconstructionLib.errors import UserError


class Retry(Enum):
    """A way to try again that a panel can offer as a button."""

    AGAIN = "try again"
    CPU = "try again on the CPU"
    SMALLER = "try again with half of the memory"
    PACKAGES = "install the packages"
    ENVIRONMENT = "choose another Python environment"
    FOLDER = "choose another folder"


@dataclass(frozen=True)
class Fault:
    """One kind of failure.

    Attributes:
        cause: what happened, for somebody who knows nothing of processes.
        next_step: what to do about it.
        retries: what may be offered, the best first.
    """

    cause: str
    next_step: str
    retries: tuple[Retry, ...] = ()


FAULTS: Mapping[str, Fault] = {
    "user": Fault("Something about the input or the settings does not fit.", "Follow the advice, and run it again."),
    "cancelled": Fault("It was cancelled.", "Nothing needs to be done.", (Retry.AGAIN,)),
    "memory": Fault(
        "The memory of the computer or of its graphics card was not enough.",
        "Close other programs, or try again on the CPU or with less memory.",
        (Retry.SMALLER, Retry.CPU, Retry.AGAIN),
    ),
    "packages": Fault(
        "A Python package that is needed is missing or cannot be loaded.",
        "Install the packages, or choose an environment that has them.",
        (Retry.PACKAGES, Retry.ENVIRONMENT, Retry.AGAIN),
    ),
    "disk": Fault(
        "The disk is full.",
        "Free some space, or choose a folder on another disk.",
        (Retry.FOLDER, Retry.AGAIN),
    ),
    "start": Fault(
        "The computing process could not be started.",
        "Choose another Python environment, or look at the log.",
        (Retry.ENVIRONMENT, Retry.PACKAGES, Retry.AGAIN),
    ),
    "died": Fault(
        "The computing process ended by itself. When the main memory runs out, the system ends programs so.",
        "Close other programs and try again; if it happens on the graphics card, try the CPU.",
        (Retry.AGAIN, Retry.SMALLER, Retry.CPU),
    ),
    "hung": Fault(
        "The computing process gave no sign of life and was ended.",
        "Try again; if it happens on the graphics card, try the CPU.",
        (Retry.AGAIN, Retry.CPU),
    ),
    "protocol": Fault(
        "The computing process said something that cannot be understood; it may be of another version.",
        "Choose another Python environment, or install the extension again.",
        (Retry.AGAIN, Retry.ENVIRONMENT),
    ),
    "bug": Fault(
        "The program has a fault.",
        "Report it with the log; the other method or the CPU may work meanwhile.",
        (Retry.CPU,),
    ),
}

# Of the free memory that the predictor takes unasked; its own constant lies behind torch.
_FIRST_SHARE = 0.8

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
# Allocators that report with a RuntimeError: PyTorch's, CUDA's and MPS's, the C++ library's, ITK's.
_NO_MEMORY = ("not enough memory", "out of memory", "allocate memory", "bad_alloc", "memory allocation")

_SIGNALS = {
    "SIGKILL": "as the system does when the main memory runs out",
    "SIGILL": "a package was built for another processor",
    "SIGSEGV": "a package or a driver is broken",
    "SIGABRT": "a package or a driver gave up",
}
# What Windows tells instead of signals.
_STATUS = {
    0xC0000005: "access violation: a package or a driver is broken",
    0xC000001D: "illegal instruction: a package was built for another processor",
    0xC0000135: "a library is missing",
}


def failure_of(error: Exception, job: int) -> Failure:
    """The failure that tells of ``error``, raised while ``job`` was done; called while it is handled."""
    code = _code(error)
    if isinstance(error, UserError):
        return Failure(job, code, error.problem, error.where, error.remedy)
    problem = " ".join(str(error).split()) or type(error).__name__
    where = (error.name or "") if isinstance(error, ImportError) else type(error).__name__
    return Failure(job, code, problem, where, FAULTS[code].next_step, "".join(traceback.format_exception(error)))


def user_failure(error: UserError) -> Failure:
    """The failure that tells of what the user can mend, and of no job."""
    return Failure(None, "user", error.problem, error.where, error.remedy)


def retries(code: str, arguments: Mapping[str, Any]) -> tuple[Retry, ...]:
    """The second tries that make sense for a request with ``arguments``, the best first."""
    senseless = set()
    if arguments.get("device", "cpu") == "cpu":
        senseless.add(Retry.CPU)
    if arguments.get("method") != "network":
        senseless.add(Retry.SMALLER)
    return tuple(retry for retry in FAULTS[code].retries if retry not in senseless)


def changed(arguments: Mapping[str, Any], retry: Retry) -> dict[str, Any]:
    """The arguments of the second try; those of ``Retry.FOLDER`` are the user's to give."""
    if retry is Retry.CPU:
        return {**arguments, "device": "cpu"}
    if retry is Retry.SMALLER:
        return {**arguments, "memory_share": (arguments.get("memory_share") or _FIRST_SHARE) / 2.0}
    return dict(arguments)


def exit_words(code: int) -> str:
    """How a process ended, from its exit code, with the likely cause where there is one."""
    # A launcher that is a shell gives the signal of what it launched as 128 more.
    number = -code if code < 0 else code - 128
    names = {entry.value: entry.name for entry in signal.Signals}
    if number in names:
        name = names[number]
        return f"it was ended by {name}" + (f" ({_SIGNALS[name]})" if name in _SIGNALS else "")
    if code in _STATUS:
        return f"it ended with status {code:#x} ({_STATUS[code]})"
    return f"it ended with exit code {code}"


def _code(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return "disk"
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM):
            return "memory"
        if isinstance(cause, RuntimeError) and any(words in str(cause).lower() for words in _NO_MEMORY):
            return "memory"
    if isinstance(error, UserError):
        return "user"
    return "packages" if isinstance(error, ImportError) and not _is_ours(error) else "bug"


def _is_ours(error: ImportError) -> bool:
    return (error.name or "").startswith("Cranial")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
