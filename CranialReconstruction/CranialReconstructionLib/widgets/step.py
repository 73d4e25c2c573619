"""What the steps of the panel have in common: a page from its .ui file, bound to the case at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import slicer

from CranialReconstructionLib.widgets.segment_selector import SegmentSelectorConnector

if TYPE_CHECKING:
    from CranialReconstructionLib.widgets.parameters import CaseParameters
    from CranialReconstructionLib.widgets.session import Session
    from CranialReconstructionLib.workflow.tasks import Task

T = TypeVar("T")

PAGES = Path(__file__).resolve().parents[2] / "Resources" / "UI"


def load_page(name: str, widgets: Mapping[str, str]) -> tuple[Any, Any]:
    """The page of ``name``.ui, and its widgets by name.

    Args:
        widgets: name -> class of those that the code uses; a test holds them against the file.
    """
    page = slicer.util.loadUI(str(PAGES / f"{name}.ui"))
    found = slicer.util.childWidgetVariables(page)
    missing = [widget for widget in widgets if not hasattr(found, widget)]
    if missing:
        raise RuntimeError(f"{name}.ui lacks {', '.join(missing)}")
    page.setMRMLScene(slicer.mrmlScene)
    return page, found


class Step:
    """One step.

    Attributes:
        PAGE: name of its .ui file.
        WIDGETS: those of its widgets that the code uses -> their class.
        page, ui: the page and its widgets by name.
        session: what all steps share.
    """

    PAGE: ClassVar[str]
    WIDGETS: ClassVar[Mapping[str, str]]

    def __init__(self, session: Session) -> None:
        self.session = session
        self.page, self.ui = load_page(self.PAGE, self.WIDGETS)
        self._binding: int | None = None
        self._bound: CaseParameters | None = None

    def bind(self, parameters: CaseParameters | None) -> None:
        """Show, and from now on change, what ``parameters`` hold."""
        if self._bound is not None and self._binding is not None:
            self._bound.disconnectGui(self._binding)
        self._bound = parameters
        self._binding = None if parameters is None else parameters.connectParametersToGui(self._shown_parameters())

    def _shown_parameters(self) -> dict[str, Any]:
        """Parameter -> what shows it, as the .ui file says.

        Segment selectors bring their connector along: Slicer's own search for one raises as soon as a
        parameter is a pack whose members have no widgets.
        """
        shown = {}
        for widget in vars(self.ui).values():
            name = widget.property("SlicerParameterName")
            if name:
                selector = type(widget) is slicer.qMRMLSegmentSelectorWidget
                shown[name] = SegmentSelectorConnector(widget) if selector else widget
        return shown

    def refresh(self) -> None:
        """Enable what can be done now, and show what has become of the case; called after every change."""

    def leave(self) -> None:
        """Take back what the step put into the views; called when the module is left, and before another case."""

    def run(self, start: Callable[[], Task[T]], then: Callable[[T], None]) -> None:
        """Begin a task; ``then`` gets its outcome. How it goes, and what goes wrong, is shown below the step."""
        self.session.at(self.page)
        self.session.run(start, then)

    def do(self, work: Callable[[], T]) -> T | None:
        """Something that needs no worker; what the user can mend is shown below the step."""
        self.session.at(self.page)
        return self.session.do(work)
