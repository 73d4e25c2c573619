"""The worker as its client holds it: a process tree, and its three pipes without waiting for any of them."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from CranialReconstructionLib.engine.protocol import LONGEST_LINE, Message, encode

if sys.platform == "win32":
    # A group of its own, and no console window over Slicer's.
    _FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0

# What is left of a tree after SIGKILL is gone within milliseconds; a process deep in a driver may take longer.
REAP_SECONDS = 0.5


class WorkerProcess:
    """A started worker.

    Threads read and write its pipes, so that nobody who calls a method here ever waits for the worker.

    Args:
        command: what to run, the program first.
        environment: its environment variables; this process's without it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            start_new_session=os.name != "nt",
            creationflags=_FLAGS,
        )
        incoming, outgoing, errors = self._process.stdin, self._process.stdout, self._process.stderr
        assert incoming is not None
        assert outgoing is not None
        assert errors is not None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._log: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(outgoing, self._lines), daemon=True)
        self._errors = threading.Thread(target=_read, args=(errors, self._log), daemon=True)
        self._writer = threading.Thread(target=_write, args=(incoming, self._to_send), daemon=True)
        for thread in (self._reader, self._errors, self._writer):
            thread.start()

    def send(self, message: Message) -> None:
        """Send a message as soon as the worker takes it; one that it never takes is lost."""
        self._to_send.put(encode(message))

    def lines(self) -> list[bytes]:
        """What has come on its standard output since the last call, line by line."""
        return _drained(self._lines)

    def log(self) -> list[str]:
        """What has come on its standard error since the last call, line by line."""
        return [line.decode("utf-8", "replace").rstrip() for line in _drained(self._log)]

    @property
    def silent(self) -> bool:
        """Whether its standard output has ended, and all of it has been taken.

        The process that was started may be a launcher that ends before the worker does, or lives on after
        it: only the worker holds the pipe.
        """
        return not self._reader.is_alive() and self._lines.empty()

    @property
    def exit_code(self) -> int | None:
        """Of the process that was started; None as long as it runs."""
        return self._process.poll()

    def close(self) -> None:
        """End its standard input, which is the end of the worker."""
        self._to_send.put(None)

    def wait(self, seconds: float) -> None:
        """Wait that long at most for the process that was started to end."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def kill(self) -> None:
        """End it and all that it started, at once."""
        self.close()
        if sys.platform == "win32":
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(self._process.pid)],
                capture_output=True,
                check=False,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )
        else:
            # It leads a session of its own. The group outlives its leader as long as a child is left, and
            # macOS refuses where only zombies are.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self.wait(REAP_SECONDS)
        # Its last words are in the pipe; a child that escaped may keep that open.
        self._errors.join(REAP_SECONDS)


def _read(pipe: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    while line := pipe.readline(LONGEST_LINE + 1):
        lines.put(line)


def _write(pipe: IO[bytes], to_send: queue.SimpleQueue[bytes | None]) -> None:
    # The worker's end is told by its output; here it only means that nothing more can be sent.
    with suppress(OSError):
        while (line := to_send.get()) is not None:
            pipe.write(line)
            pipe.flush()
    with suppress(OSError):
        pipe.close()


def _drained(lines: queue.SimpleQueue[bytes]) -> list[bytes]:
    found = []
    with suppress(queue.Empty):
        while True:
            found.append(lines.get_nowait())
    return found
