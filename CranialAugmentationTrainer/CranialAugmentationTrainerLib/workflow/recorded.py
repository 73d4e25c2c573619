"""``python -m CranialAugmentationTrainerLib.workflow.recorded FOLDER WORDS``: a command that tells how it ended.

Whoever started it may be gone by then; who asks later finds the exit code in ``ending.json`` in FOLDER. A process
that was killed leaves none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from CranialAugmentationTrainerLib.cli.__main__ import points
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.imaging.whole_file import whole_file

ENDING = "ending.json"
# Slicer gives itself the lowest priority on Linux and macOS: what runs beside it must not have a higher one.
PRIORITY = 19
BUG = 1


def run(folder: Path, words: list[str]) -> int:
    """Run the command, and write down its exit code."""
    if sys.platform == "win32":
        # What stands there for Ctrl-C in a process group of its own.
        signal.signal(signal.SIGBREAK, signal.default_int_handler)
    else:
        # Where Slicer was started in the background of a script, Ctrl-C's signal is ignored by all that it starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.nice(PRIORITY)
    code = BUG
    try:
        code = main(words, points())
    except SystemExit as error:
        # How argparse ends for words that it does not know.
        code = error.code if isinstance(error.code, int) else BUG
    finally:
        # A run or a set may have been deleted meanwhile.
        if folder.is_dir():
            with whole_file(folder / ENDING) as part:
                part.write_text(json.dumps({"code": code}) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
