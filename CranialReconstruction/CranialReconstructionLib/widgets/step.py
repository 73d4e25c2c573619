"""What the steps of the panel have in common: a page, the case at hand, and how work on it is begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from CranialReconstructionLib.widgets.page import Page

if TYPE_CHECKING:
    from CranialReconstructionLib.widgets.session import Session
    from CranialReconstructionLib.workflow.tasks import Task

T = TypeVar("T")


class Step(Page):
    """One step; bound to the parameters of the case at hand.

    Attributes:
        session: what all steps share.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def run(self, start: Callable[[], Task[T]], then: Callable[[T], None]) -> None:
        """Begin a task; ``then`` gets its outcome. How it goes, and what goes wrong, is shown below the step."""
        self.session.at(self.page)
        self.session.run(start, then)

    def do(self, work: Callable[[], T]) -> T | None:
        """Something that needs no worker; what the user can mend is shown below the step."""
        self.session.at(self.page)
        return self.session.do(work)
