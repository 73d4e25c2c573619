"""A page from a .ui file, bound to a typed parameter node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import ctk
import slicer

from CranialReconstructionLib.widgets.path_edit import PathEditConnector
from CranialReconstructionLib.widgets.segment_selector import SegmentSelectorConnector

PAGES = Path(__file__).resolve().parents[2] / "Resources" / "UI"


def load_page(name: str, widgets: Mapping[str, str], folder: Path = PAGES) -> tuple[Any, Any]:
    """The page of ``name``.ui, and its widgets by name.

    Args:
        widgets: name -> class of those that the code uses; a test holds them against the file.
        folder: that the file lies in.
    """
    page = slicer.util.loadUI(str(folder / f"{name}.ui"))
    found = slicer.util.childWidgetVariables(page)
    missing = [widget for widget in widgets if not hasattr(found, widget)]
    if missing:
        raise RuntimeError(f"{name}.ui lacks {', '.join(missing)}")
    page.setMRMLScene(slicer.mrmlScene)
    return page, found


class Page:
    """One page.

    Attributes:
        PAGES: folder of the .ui files.
        PAGE: name of its .ui file.
        WIDGETS: those of its widgets that the code uses -> their class.
        page, ui: the page and its widgets by name.
    """

    PAGES: ClassVar[Path] = PAGES
    PAGE: ClassVar[str]
    WIDGETS: ClassVar[Mapping[str, str]]

    def __init__(self) -> None:
        self.page, self.ui = load_page(self.PAGE, self.WIDGETS, self.PAGES)
        self._binding: int | None = None
        self._bound: Any = None

    def bind(self, parameters: Any) -> None:
        """Show, and from now on change, what a wrapped parameter node holds; None lets it go."""
        if self._bound is not None and self._binding is not None:
            self._bound.disconnectGui(self._binding)
        self._bound = parameters
        self._binding = None if parameters is None else parameters.connectParametersToGui(self._shown_parameters())

    def refresh(self) -> None:
        """Enable what can be done now, and show what has become of it; called after every change."""

    def leave(self) -> None:
        """Take back what the page put into the views; called when the module is left."""

    def _shown_parameters(self) -> dict[str, Any]:
        """Parameter -> what shows it, as the .ui file says.

        Segment selectors bring their connector along: Slicer's own search for one raises as soon as a
        parameter is a pack whose members have no widgets. So do paths.
        """
        own = {slicer.qMRMLSegmentSelectorWidget: SegmentSelectorConnector, ctk.ctkPathLineEdit: PathEditConnector}
        shown = {}
        for widget in vars(self.ui).values():
            name = widget.property("SlicerParameterName")
            if name:
                connector = own.get(type(widget))
                shown[name] = connector(widget) if connector else widget
        return shown
