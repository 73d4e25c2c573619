"""What the application's tests share: Slicer's window, the Python that computes, and waiting without freezing."""

from __future__ import annotations

import os
import time
import traceback
import unittest
from collections.abc import Callable
from pathlib import Path

import qt
import slicer


class WindowCase(unittest.TestCase):
    """An empty scene in a window of one size, with the Python of ``CRANIAL_TEST_PYTHON``."""

    def run_and_exit(self, work: Callable[[], None]) -> None:
        """Do the work of a script and end Slicer, whatever comes: it would stay open, and be waited for."""
        try:
            work()
            failed = False
        except BaseException:
            traceback.print_exc()
            failed = True
        self.doCleanups()
        slicer.util.exit(1 if failed else 0)

    def empty_window(self) -> None:
        """Begin anew."""
        slicer.mrmlScene.Clear()
        python = os.environ.get("CRANIAL_TEST_PYTHON", "")
        settings = qt.QSettings()
        settings.setValue("CranialReconstruction/OtherPython", bool(python))
        settings.setValue("CranialReconstruction/Python", python)
        window = slicer.util.mainWindow()
        if window is not None:
            window.resize(1560, 960)

    def failure(self) -> str:
        """What the panel says went wrong; empty where nothing did."""
        raise NotImplementedError

    def wait(self, condition: Callable[[], bool], seconds: float = 180.0, what: str = "") -> None:
        """Let Slicer work until ``condition`` holds."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, what or self.failure() or "nothing came of it")
            slicer.app.processEvents()
            time.sleep(0.01)

    def wait_quietly(self, seconds: float) -> None:
        """Let Slicer work for a while, to see that nothing happens."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)

    def picture(self, name: str) -> None:
        """A picture of the main window, where a folder for them is given."""
        pictures = os.environ.get("CRANIAL_TEST_PICTURES", "")
        window = slicer.util.mainWindow()
        if pictures and window is not None:
            slicer.app.processEvents()
            window.grab().save(str(Path(pictures) / f"{name}.png"))
