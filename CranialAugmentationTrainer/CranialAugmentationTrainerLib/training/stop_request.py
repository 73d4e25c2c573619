"""Asking a run to stop: by a file in its folder, by Ctrl-C, or by the system's request to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from CranialAugmentationTrainerLib.training.run_folder import RunFolder

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether somebody asked; ``cause`` says who."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.cause = ""

    def asked(self) -> bool:
        """Whether the run should stop."""
        if not self.cause and self.run.stop_file.exists():
            self.cause = "asked to stop"
        return bool(self.cause)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals become requests inside; a second Ctrl-C interrupts as it always does.

        Only the main thread may listen; in another one the file alone is looked at.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Take the signals; Lightning takes the request to end for itself when it starts, and would end
        without a checkpoint."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.cause and number == signal.SIGINT:
            raise KeyboardInterrupt("interrupted")
        self.cause = "interrupted" if number == signal.SIGINT else "asked to end by the system"
