"""What the pages of the Trainer have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.commands import Command
from CranialReconstructionLib.widgets.page import Page

T = TypeVar("T")


class TrainerPage(Page):
    """One page; bound to the parameters of the Trainer.

    Attributes:
        session: what all pages share.
    """

    PAGES: ClassVar[Path] = Path(__file__).resolve().parents[2] / "Resources" / "UI"

    def __init__(self, session: TrainerSession) -> None:
        super().__init__()
        self.session = session

    def unfold(self) -> None:
        """Bring it before the user's eyes."""
        self.ui.pageButton.collapsed = False

    def restore(self) -> None:
        """Show again what a scene has brought; called once, when all of it is there.

        While a scene is loaded, plot views do not know its series yet, and take them out of their charts.
        """

    def tick(self) -> None:
        """Called twice a second while the module is open; one call must not take longer than a blink."""

    def do(self, work: Callable[[], T]) -> T | None:
        """Do something at once; what the user can mend is shown below the page."""
        self.session.at(self.page)
        return self.session.do(work)

    def start(self, title: str, folder: Path, words: Sequence[str], then: Callable[[], None]) -> Command | None:
        """Start a command; how it ends is shown below the page."""
        self.session.at(self.page)
        return self.session.start(title, folder, words, then)
