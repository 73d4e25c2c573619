"""When a run does what, counted in steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class Pace:
    """Steps of a run, and how many lie between two of its events.

    Attributes:
        steps: in all; one is one batch.
        report: between losses.
        validate, checkpoint, preview: between each; what is due at the last step is done as well.
    """

    steps: int
    report: int
    validate: int
    checkpoint: int
    preview: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise UserError(f"{name} must be at least one step", where="training", remedy="Correct it.")

    def due(self, every: int, step: int) -> bool:
        """Whether what happens ``every`` so many steps happens after ``step`` of them."""
        return step % every == 0 or step >= self.steps

    def halt(self, step: int) -> int:
        """The next step, after ``step``, at which training halts for anything but a report."""
        return min(self.steps, *((step // every + 1) * every for every in self._halts))

    @property
    def _halts(self) -> tuple[int, ...]:
        return self.validate, self.checkpoint, self.preview


class StepNumbers:
    """The numbers of the cases of each batch, from the step that a run is at to its next halt.

    Cases are numbered through the whole run, so what a step sees follows from the step alone. Processes
    that train together share a step's cases.

    Args:
        step: the steps done so far.
        batch: cases a step and process.
        place: number of this process, and of all.
    """

    def __init__(self, pace: Pace, step: Callable[[], int], batch: int, place: Callable[[], tuple[int, int]]) -> None:
        self.pace = pace
        self.step = step
        self.batch = batch
        self.place = place

    def __iter__(self) -> Iterator[list[int]]:
        done = self.step()
        process, processes = self.place()
        if done >= self.pace.steps:
            return
        for step in range(done, self.pace.halt(done)):
            first = step * self.batch * processes
            yield list(range(first + process, first + self.batch * processes, processes))
