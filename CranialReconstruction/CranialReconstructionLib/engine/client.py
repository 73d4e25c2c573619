"""The client: starts the worker, hands it jobs, hears of them, and ends it when it must.

Made for an event loop that must not wait: ``poll`` is called by a timer, ten times a second or so, and tells
what has happened since. Every problem comes that way, as a ``Failure`` with a code of ``faults.FAULTS``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from CranialReconstructionLib.engine.arguments import Arguments
from CranialReconstructionLib.engine.faults import FAULTS, exit_words
from CranialReconstructionLib.engine.protocol import (
    Cancel,
    Failure,
    Heartbeat,
    Hello,
    Message,
    Progress,
    ProtocolError,
    Request,
    Result,
    Shutdown,
    decode,
)
from CranialReconstructionLib.engine.records import to_json
from CranialReconstructionLib.engine.worker_process import WorkerProcess

LOG_LINES = 200
# How long a call of ``poll`` lets the threads that read the pipes run. Where an application's loop keeps
# Python's lock to itself between two timer calls, they do not run otherwise.
_READERS_TURN = 0.002
# One gap between two polls counts for no more silence than this: while the application itself stood
# still, or the computer slept, nobody listened.
_LONGEST_GAP = 1.0
# Between the end of the worker's output and its exit code.
_EXIT_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
    """How long the client is patient, seconds.

    Attributes:
        start: until the worker's first words. It says them before it imports anything large, but a virus
            scanner may look at a whole Python first.
        silence: between two heartbeats. A library that keeps Python's lock stops them: the slowest calls of
            this kind, distance maps of a full-size head on a slow machine, and loading torch from a cold
            disk, take tens of seconds.
        cancel: for the job to stop by itself before its process is ended.
    """

    start: float = 120.0
    silence: float = 120.0
    cancel: float = 1.25


@dataclass(frozen=True)
class Job:
    """What was asked for; answers carry its ``id``."""

    id: int
    operation: str
    arguments: Mapping[str, Any]


class Engine:
    """One worker at a time, started when there is something to do and again after it has ended.

    Args:
        command: the worker's, as ``environment.worker_command`` gives it.
        environment: its environment variables; this process's without it.
        log: is told each line of the worker's standard error, by ``poll``.
        limits: of the client's patience.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        log: Callable[[str], None] = lambda line: None,
        limits: Limits = Limits(),
    ) -> None:
        self._command = tuple(command)
        self._environment = environment
        self._log = log
        self._limits = limits
        self._worker: WorkerProcess | None = None
        # In the worker's order: it does the first, the others wait.
        self._pending: dict[int, Job] = {}
        self._last_id = 0
        self._cancelling: dict[int, float] = {}
        self._told: list[Message] = []
        self._heard = self._polled = self._output_ended = 0.0
        self._silence = 0.0
        self.hello: Hello | None = None
        self.last_lines: deque[str] = deque(maxlen=LOG_LINES)

    @property
    def running(self) -> bool:
        """Whether there is a worker."""
        return self._worker is not None

    @property
    def pending(self) -> tuple[Job, ...]:
        """The jobs without an answer; the first is being done."""
        return tuple(self._pending.values())

    def start(self) -> None:
        """Start the worker if there is none; ``Hello`` follows by ``poll``."""
        if self._worker is not None:
            return
        self.hello = None
        self._silence, self._output_ended, self._polled = 0.0, 0.0, time.monotonic()
        try:
            self._worker = WorkerProcess(self._command, self._environment)
        except OSError as error:
            self._fail_all("start", f"{self._command[0]} cannot be run ({error.strerror or error})")
            return
        for job in self._pending.values():
            self._worker.send(Request(job.id, job.operation, job.arguments))

    def submit(self, operation: str, arguments: Mapping[str, Any]) -> Job:
        """Ask for ``operation``; ``Progress`` and one ``Result`` or ``Failure`` with its id follow by ``poll``.

        Jobs are done one after another, in the order in which they were submitted.
        """
        # A worker that has ended meanwhile must not take the job with it.
        self._listen()
        self._judge()
        self._last_id += 1
        job = Job(self._last_id, operation, to_json(arguments))
        self._pending[job.id] = job
        if self._worker is None:
            self.start()
        else:
            self._worker.send(Request(job.id, job.operation, job.arguments))
        return job

    def ask(self, arguments: Arguments) -> Job:
        """``submit`` with typed arguments, which name their operation."""
        return self.submit(arguments.operation, to_json(arguments))

    def cancel(self, job: Job) -> None:
        """Leave ``job``; a ``Failure`` with the code "cancelled" follows, unless it has been answered.

        The job that is being done is asked first; if it does not stop soon the worker is ended, and the
        jobs that wait go to a new one.
        """
        if job.id not in self._pending or job.id in self._cancelling:
            return
        if self._worker is not None:
            self._worker.send(Cancel(job.id))
        if job.id == next(iter(self._pending)):
            self._cancelling[job.id] = time.monotonic() + self._limits.cancel
        else:
            del self._pending[job.id]
            self._told.append(_cancelled(job))

    def poll(self) -> list[Message]:
        """What has happened since the last call: ``Hello``, ``Progress``, ``Result`` and ``Failure``, in order."""
        time.sleep(_READERS_TURN)
        self._listen()
        self._judge()
        told, self._told = self._told, []
        return told

    def stop(self) -> None:
        """End the worker, which takes a moment at most; jobs without an answer count as cancelled."""
        worker, self._worker = self._worker, None
        self._told += [_cancelled(job) for job in self._pending.values()]
        self._pending.clear()
        self._cancelling.clear()
        if worker is not None:
            worker.send(Shutdown())
            worker.close()
            worker.wait(self._limits.cancel)
            worker.kill()

    def _listen(self) -> None:
        """Take what the worker has said."""
        if self._worker is None:
            return
        for text in self._worker.log():
            self._note(text)
        lines = self._worker.lines()
        now = time.monotonic()
        self._silence = 0.0 if lines else self._silence + min(now - self._polled, _LONGEST_GAP)
        self._polled = now
        for line in lines:
            try:
                self._take(decode(line))
            except ProtocolError as error:
                if self.hello is not None:
                    self._lose("protocol", f"the worker was not understood: {error.problem}")
                    return
                # A launcher may print before the worker has the pipe to itself.
                self._note(line.decode("utf-8", "replace").rstrip())

    def _take(self, message: Message) -> None:
        if isinstance(message, Hello):
            self.hello = message
            self._told.append(message)
        elif isinstance(message, Progress):
            if message.id in self._pending:
                self._told.append(message)
        elif isinstance(message, Result | Failure):
            if message.id is None:
                self._told.append(message)
            elif (job := self._pending.pop(message.id, None)) is not None:
                # A job that ended just before it was told to stop is cancelled all the same.
                late = self._cancelling.pop(job.id, None) is not None
                self._told.append(_cancelled(job) if late else message)
        elif not isinstance(message, Heartbeat):
            raise ProtocolError(f"a client is not sent {type(message).__name__}")

    def _judge(self) -> None:
        """End a worker that must end, and take note of one that has."""
        worker, now = self._worker, time.monotonic()
        if worker is None:
            return
        patience = self._limits.start if self.hello is None else self._limits.silence
        if worker.silent:
            self._output_ended = self._output_ended or now
            if worker.exit_code is None and now < self._output_ended + _EXIT_SECONDS:
                return
            code = worker.exit_code
            how = exit_words(code) if code is not None else "its output ended"
            self._lose("start" if self.hello is None else "died", f"the worker is gone: {how}")
        elif any(now >= deadline for deadline in self._cancelling.values()):
            self._lose("cancelled", "")
        elif self._silence > patience:
            words = f"no sign of life for {self._silence:.0f} seconds"
            self._lose("start" if self.hello is None else "hung", words)

    def _lose(self, code: str, problem: str) -> None:
        """End the worker; the job that it was doing has failed, the others go to a new worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            for text in worker.log():
                self._note(text)
        if code == "start":
            self._fail_all(code, problem)
            return
        job = self._pending.pop(next(iter(self._pending))) if self._pending else None
        if job is not None and self._cancelling.pop(job.id, None) is not None:
            self._told.append(_cancelled(job))
        else:
            self._told.append(replace(self._failure(code, problem), id=job.id if job else None))
        self._cancelling.clear()
        if self._pending:
            self.start()

    def _fail_all(self, code: str, problem: str) -> None:
        failure = self._failure(code, problem)
        self._told += [replace(failure, id=id) for id in self._pending] or [failure]
        self._pending.clear()
        self._cancelling.clear()

    def _failure(self, code: str, problem: str) -> Failure:
        detail = "\n".join(self.last_lines)
        return Failure(None, code, problem, self._command[0], FAULTS[code].next_step, detail)

    def _note(self, text: str) -> None:
        self.last_lines.append(text)
        self._log(text)


def _cancelled(job: Job) -> Failure:
    return Failure(job.id, "cancelled", "the job was cancelled", job.operation)
