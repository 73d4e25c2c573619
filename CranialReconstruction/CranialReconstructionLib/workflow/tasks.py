"""Jobs of the worker's together with what is to be done with their results."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from CranialReconstructionLib.engine.arguments import Arguments
from CranialReconstructionLib.engine.client import Engine, Job
from CranialReconstructionLib.engine.faults import Retry, changed, failure_of, retries
from CranialReconstructionLib.engine.protocol import Failure, Hello, Progress, Result
from CranialReconstructionLib.engine.records import from_json, to_json

T = TypeVar("T")

POLL_SECONDS = 0.05


class State(Enum):
    """Where a task stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TaskFailedError(Exception):
    """A task that a script waits for has failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.problem}. {failure.remedy}".strip())
        self.failure = failure


@dataclass(eq=False)
class Task(Generic[T]):
    """One thing that the worker does for a case.

    Attributes:
        title: what it does, for a person.
        arguments: what the worker was asked with.
        finish: makes the outcome of the worker's result; what it puts into the scene appears as one step.
        state, stage, share: where it stands; ``share`` of the job is done, 0 to 1, None where that is not known.
        outcome: what ``finish`` returned.
        failure: what went wrong.
        told: is called after every change.
    """

    title: str
    arguments: Arguments
    finish: Callable[[Mapping[str, Any]], T]
    job: Job
    state: State = State.RUNNING
    stage: str = ""
    share: float | None = None
    outcome: T | None = None
    failure: Failure | None = None
    told: list[Callable[[Task[T]], None]] = field(default_factory=list)

    @property
    def retries(self) -> tuple[Retry, ...]:
        """Second tries that can be offered after a failure, the best first."""
        return () if self.failure is None else retries(self.failure.code, to_json(self.arguments))


class Tasks:
    """Everything that the worker does for the scene.

    Args:
        engine: the worker's client.
        folder: for the files that go between; a temporary one without it.
    """

    def __init__(self, engine: Engine, folder: Path | None = None) -> None:
        self._engine = engine
        self._own = folder is None
        self._running: dict[int, Task[Any]] = {}
        self._count = 0
        self.folder = folder or Path(tempfile.mkdtemp(prefix="cranial-"))
        self.hello: Hello | None = None

    @property
    def running(self) -> tuple[Task[Any], ...]:
        """The tasks without an outcome; the first is being done."""
        return tuple(self._running.values())

    def new_folder(self) -> Path:
        """An empty folder for one task's files; deleted with the rest at ``close``."""
        self._count += 1
        folder = self.folder / f"{self._count:04d}"
        folder.mkdir(parents=True)
        return folder

    def begin(self, title: str, arguments: Arguments, finish: Callable[[Mapping[str, Any]], T]) -> Task[T]:
        """Ask the worker; the task's outcome follows by ``poll``."""
        task = Task(title, arguments, finish, self._engine.ask(arguments))
        self._running[task.job.id] = task
        return task

    def again(self, task: Task[T], retry: Retry) -> Task[T]:
        """The same once more, changed as ``retry`` says."""
        arguments = from_json(type(task.arguments), changed(to_json(task.arguments), retry))
        return self.begin(task.title, arguments, task.finish)

    def cancel(self, task: Task[Any]) -> None:
        """Leave it; its failure, with the code "cancelled", follows by ``poll`` within two seconds."""
        self._engine.cancel(task.job)

    def poll(self) -> None:
        """Hear the worker, and finish what it has done."""
        for message in self._engine.poll():
            if isinstance(message, Hello):
                self.hello = message
            elif isinstance(message, Progress):
                self._progress(message)
            elif isinstance(message, Result):
                self._result(message)
            elif isinstance(message, Failure):
                self._failure(message)

    def wait(self, task: Task[T], turn: Callable[[], None] = lambda: None) -> T:
        """The outcome of ``task``, waited for; ``turn`` is called meanwhile, many times a second.

        Raises:
            TaskFailedError: it has failed.
        """
        while task.state is State.RUNNING:
            self.poll()
            turn()
            time.sleep(POLL_SECONDS)
        if task.failure is not None:
            raise TaskFailedError(task.failure)
        return task.outcome  # type: ignore[return-value]

    def close(self) -> None:
        """End the worker; what runs counts as cancelled. The files that went between are deleted."""
        self._engine.stop()
        self.poll()
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _progress(self, message: Progress) -> None:
        task = self._running.get(message.id)
        if task is not None:
            task.stage, task.share = message.stage, message.fraction
            _tell(task)

    def _result(self, message: Result) -> None:
        task = self._running.pop(message.id, None)
        if task is None:
            return
        try:
            task.outcome = task.finish(message.content)
        except Exception as error:  # noqa: BLE001 - told as every other failure, with its traceback
            task.failure, task.state = failure_of(error, message.id), State.FAILED
        else:
            task.state = State.DONE
        _tell(task)

    def _failure(self, message: Failure) -> None:
        # A worker that is lost without a job harms no task.
        task = None if message.id is None else self._running.pop(message.id, None)
        if task is not None:
            task.failure, task.state = message, State.FAILED
            _tell(task)


def _tell(task: Task[Any]) -> None:
    for listener in task.told:
        listener(task)
