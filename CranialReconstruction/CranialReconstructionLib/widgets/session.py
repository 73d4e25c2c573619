"""What the steps share: the case at hand, the worker's tasks, and how they go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import slicer

from CranialReconstructionLib.engine.client import Engine
from CranialReconstructionLib.engine.environment import worker_command, worker_environment
from CranialReconstructionLib.engine.faults import Retry, user_failure
from CranialReconstructionLib.engine.protocol import Failure
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.case import case_of
from CranialReconstructionLib.widgets.parameters import CaseParameters
from CranialReconstructionLib.widgets.place import chosen_python
from CranialReconstructionLib.workflow.segment import NodeFiles
from CranialReconstructionLib.workflow.tasks import State, Task, Tasks

T = TypeVar("T")

Failed = Callable[[Failure, "Task[Any] | None"], None]


class Session:
    """One worker, the case at hand, and who wants to know of changes.

    Attributes:
        parameters: of the case at hand; None while there is none.
        at: called with the page of the step that is at work, below which the user is told of it; None: of no step.
        begun: called before something begins that the user asked for.
        changed: called after something has changed.
        failed: called with a failure, and with its task where there is one.
        told: called with a sentence for the user.
        log: called with each line that the worker writes.
        prepared: asked before a worker is started; False leaves the job undone.
    """

    def __init__(self) -> None:
        self.parameters: CaseParameters | None = None
        self.at: Callable[[Any], None] = lambda page: None
        self.begun: Callable[[], None] = lambda: None
        self.changed: Callable[[], None] = lambda: None
        self.failed: Failed = lambda failure, task: None
        self.told: Callable[[str], None] = lambda text: None
        self.log: Callable[[str], None] = lambda line: None
        self.prepared: Callable[[], bool] = lambda: True
        self._tasks: Tasks | None = None
        self._files: NodeFiles | None = None
        self._python: Path | None = None
        # Tasks that the user did not ask for, with who hears of their failures.
        self._quiet: dict[Task[Any], Failed] = {}
        self._then: dict[Task[Any], Callable[[Any], None]] = {}

    @property
    def case(self) -> Any:
        """The parameter node of the case at hand.

        Raises:
            UserError: there is none.
        """
        if self.parameters is None:
            raise UserError("there is no case", where="panel", remedy="Start a case first.")
        return self.parameters.parameterNode

    @property
    def tasks(self) -> Tasks:
        """The tasks of a worker in the Python that is chosen; another choice ends the former worker."""
        python = chosen_python()
        if self._tasks is None or python != self._python:
            self.close()
            engine = Engine(worker_command(python), worker_environment(python), lambda line: self.log(line))
            self._tasks, self._python = Tasks(engine), python
            self._files = NodeFiles(self._tasks.folder)
        return self._tasks

    @property
    def files(self) -> NodeFiles:
        """Nodes as files for that worker."""
        folder = self.tasks.folder
        if self._files is None:
            self._files = NodeFiles(folder)
        return self._files

    @property
    def shown_tasks(self) -> tuple[Task[Any], ...]:
        """The running tasks that the user asked for."""
        running = () if self._tasks is None else self._tasks.running
        return tuple(task for task in running if task not in self._quiet)

    @property
    def busy(self) -> bool:
        """Whether something runs that the user asked for."""
        return bool(self.shown_tasks)

    def parameters_of(self, node: Any) -> CaseParameters | None:
        """The parameters of the case that ``node`` was made for, which need not be the one at hand any more."""
        case = case_of(node)
        if self.parameters is not None and case is self.parameters.parameterNode:
            return self.parameters
        return None if case is None else CaseParameters(case)

    def run(
        self, start: Callable[[], Task[T]], then: Callable[[T], None], quiet: Failed | None = None
    ) -> Task[T] | None:
        """Begin a task; ``then`` gets its outcome. None where it cannot be begun, which is told as a failure.

        Args:
            quiet: hears of failures instead of the user, who did not ask for this task.
        """
        failed = quiet or self.failed
        if quiet is None:
            self.begun()
            if self._tasks is None and not self.prepared():
                return None
        try:
            with slicer.util.WaitCursor(show=quiet is None):
                task = start()
        except UserError as error:
            failed(user_failure(error), None)
            return None
        if quiet is not None:
            self._quiet[task] = quiet
        self._follow(task, then)
        return task

    def again(self, task: Task[Any], retry: Retry) -> None:
        """Try once more what has failed."""
        then = self._then[task]
        self.run(lambda: self.tasks.again(task, retry), then)

    def do(self, work: Callable[[], T]) -> T | None:
        """Something that needs no worker; what the user can mend is told as a failure."""
        try:
            return work()
        except UserError as error:
            self.failed(user_failure(error), None)
            return None

    def tell(self, text: str) -> None:
        """Say something to the user."""
        self.told(text)

    def poll(self) -> None:
        """Hear the worker; called by a timer."""
        if self._tasks is not None:
            self._tasks.poll()

    def cancel(self) -> None:
        """Leave everything that the user asked for."""
        for task in self.shown_tasks:
            self.tasks.cancel(task)

    def close(self) -> None:
        """End the worker."""
        if self._tasks is not None:
            tasks, self._tasks = self._tasks, None
            tasks.close()

    def _follow(self, task: Task[T], then: Callable[[T], None]) -> None:
        # Kept for a second try; of what ended long ago nobody asks.
        self._then = {known: entry for known, entry in self._then.items() if known.state is State.RUNNING}
        self._then[task] = then

        def told(task: Task[T]) -> None:
            quiet = self._quiet.get(task)
            if task.state is not State.RUNNING:
                self._quiet.pop(task, None)
            if task.state is State.DONE:
                self.do(lambda: then(task.outcome))  # type: ignore[arg-type]
            elif task.failure is not None:
                (quiet or self.failed)(task.failure, task)
            self.changed()

        task.told.append(told)
        self.changed()
