"""What went wrong, in words, with the second tries that make sense as buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from CranialReconstructionLib.engine.faults import FAULTS, Retry
from CranialReconstructionLib.engine.protocol import Failure


def retry_title(retry: Retry) -> str:
    """As a button says it."""
    return {
        Retry.AGAIN: _("Try again"),
        Retry.CPU: _("Try again on the CPU"),
        Retry.SMALLER: _("Try again with half of the memory"),
        Retry.PACKAGES: _("Install the packages..."),
        Retry.ENVIRONMENT: _("Choose another Python..."),
        Retry.FOLDER: _("Choose another folder..."),
    }[retry]


class FailureBox:
    """Shows one failure at a time.

    Args:
        ui: with ``failureFrame``, ``failureText`` and ``failureButtons``.
        chosen: is called with what the user wants to try.

    Attributes:
        shown: whether there is one.
    """

    def __init__(self, ui: Any, chosen: Callable[[Retry], None]) -> None:
        self._ui = ui
        self._chosen = chosen
        self._buttons: list[Any] = []
        self.shown = False
        self.clear()

    def show(self, failure: Failure, retries: tuple[Retry, ...]) -> None:
        """Show a failure; one that was cancelled is told in a line."""
        self.clear()
        lines = [failure.problem[:1].upper() + failure.problem[1:] + (f" ({failure.where})" if failure.where else "")]
        if failure.code not in ("user", "cancelled"):
            lines.insert(0, FAULTS[failure.code].cause)
        remedy = failure.remedy or FAULTS[failure.code].next_step
        if failure.code != "cancelled":
            lines.append(remedy)
        self._ui.failureText.text = "\n".join(lines)
        self._ui.failureText.toolTip = failure.detail
        for retry in retries if failure.code != "cancelled" else ():
            button = qt.QPushButton(retry_title(retry))
            button.connect("clicked()", lambda retry=retry: self._choose(retry))
            self._ui.failureButtons.layout().addWidget(button)
            self._buttons.append(button)
        self.shown = True
        self._ui.failureFrame.visible = True

    def clear(self) -> None:
        """Show nothing."""
        for button in self._buttons:
            button.deleteLater()
        self._buttons = []
        self.shown = False
        self._ui.failureFrame.visible = False

    def _choose(self, retry: Retry) -> None:
        self.clear()
        self._chosen(retry)
