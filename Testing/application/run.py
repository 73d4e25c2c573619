"""Runs every application test inside of Slicer and prints one closing line.

    Slicer --testing --additional-module-paths CranialReconstruction CranialAugmentationTrainer \\
        --python-script Testing/application/run.py [NAME ...]

A NAME picks the tests whose names hold it. The computing is done by the Python that the environment variable
``CRANIAL_TEST_PYTHON`` names, which has PyTorch and MONAI; by Slicer's own without it. Pictures of the panel go
into the folder ``CRANIAL_TEST_PICTURES``, if there is one.
"""

from __future__ import annotations

import sys
import traceback
import unittest
from pathlib import Path

import slicer

FOLDER = Path(__file__).resolve().parent


def chosen(suite: unittest.TestSuite, names: list[str]) -> unittest.TestSuite:
    """The tests of ``suite`` whose names hold one of ``names``; all without names."""
    found = unittest.TestSuite()
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            found.addTests(chosen(entry, names))
        elif not names or any(name in entry.id() for name in names):
            found.addTest(entry)
    return found


def run(names: list[str]) -> int:
    """The number of tests that did not pass."""
    sys.path.insert(0, str(FOLDER))
    suite = chosen(unittest.TestLoader().discover(str(FOLDER), "test_*.py"), names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passed = result.testsRun - failed - len(result.skipped)
    print(f"{passed} passed, {failed} failed" + (f", {len(result.skipped)} skipped" if result.skipped else ""))
    return failed or (0 if passed else 1)


if __name__ == "__main__":
    try:
        unsuccessful = run([word for word in sys.argv[1:] if not word.startswith("-")])
    except BaseException:
        # Slicer would stay open, and whoever waits for the closing line would wait for ever.
        traceback.print_exc()
        unsuccessful = 1
    sys.stdout.flush()
    slicer.util.exit(1 if unsuccessful else 0)
