"""Workers with faults, as scripts, and what tests need to watch real ones."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from CranialReconstructionLib.engine.client import Engine, Job, Limits
from CranialReconstructionLib.engine.environment import worker_environment
from CranialReconstructionLib.engine.protocol import Failure, Message, Result

# The product's own worker with operations that go wrong in every way.
FAULTY = """
import ctypes, errno, os, subprocess, sys, time
from pathlib import Path
from CranialReconstructionLib.engine.worker import serve
from CranialReconstructionLib.errors import UserError

def echo(arguments, report):
    return arguments

def stages(arguments, report):
    for number in range(arguments["count"]):
        report(f"stage {number}", number / arguments["count"])
        time.sleep(arguments["seconds"])
    return {"done": True}

def deaf(arguments, report):
    report("deaf")
    time.sleep(60)

def with_child(arguments, report):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    report(str(child.pid))
    child.wait()

def frozen(arguments, report):
    report("frozen")
    ctypes.PyDLL(None).sleep(60)

def noisy(arguments, report):
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run(["echo", "echoed"])
    return {"input": sys.stdin.read()}

def dies(arguments, report):
    report("dies")
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), arguments["signal"])
    time.sleep(60)

def wrong(arguments, report):
    raise {
        "user": UserError("the mask is empty", where="skull.nrrd", remedy="Give a skull."),
        "bug": ZeroDivisionError("division by zero"),
        "cuda": RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        "disk": OSError(errno.ENOSPC, "No space left on device"),
    }[arguments["how"]]

def exhausted(arguments, report):
    return {"size": len(bytearray(1 << 60))}

def lacking(arguments, report):
    import a_package_that_nobody_has

def unfit(arguments, report):
    return {"mean": float("nan")}

sys.exit(serve({entry.__name__: entry for entry in (
    echo, stages, deaf, with_child, frozen, noisy, dies, wrong, exhausted, lacking, unfit)}))
"""

# A launcher that waits for what it launched, and one that does not.
WAITS = "import subprocess, sys; print('launching', flush=True); sys.exit(subprocess.Popen(sys.argv[1:]).wait())"
LEAVES = "import subprocess, sys; subprocess.Popen(sys.argv[1:])"

PATIENT = Limits()
PRODUCT = [sys.executable, "-m", "CranialReconstructionLib.engine.worker"]


@contextmanager
def engine(command: list[str], limits: Limits = PATIENT) -> Iterator[Engine]:
    """A client that is stopped at the end; what its worker logged is printed for a test that fails."""
    client = Engine(command, worker_environment(Path(sys.executable)), print, limits)
    try:
        yield client
    finally:
        client.stop()


def until_answered(client: Engine, *jobs: Job, seconds: float = 60.0) -> list[Message]:
    """All that is told until every job has its answer."""
    told: list[Message] = []
    waiting, deadline = {job.id for job in jobs}, time.monotonic() + seconds
    while waiting:
        assert time.monotonic() < deadline, told
        told += client.poll()
        waiting -= {message.id for message in told if isinstance(message, Result | Failure) and message.id is not None}
        time.sleep(0.01)
    return told


def until_told(client: Engine, kind: type[Message], seconds: float = 60.0) -> list[Message]:
    """All that is told until there is a message of ``kind`` among it."""
    told: list[Message] = []
    deadline = time.monotonic() + seconds
    while not any(isinstance(message, kind) for message in told):
        assert time.monotonic() < deadline, told
        told += client.poll()
        time.sleep(0.01)
    return told


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    state = Path(f"/proc/{process}/stat")
    try:
        os.kill(process, 0)
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def gone(process: int, seconds: float = 2.0) -> bool:
    """Whether it has ended within that time."""
    deadline = time.monotonic() + seconds
    while alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
