"""Whether a process of this computer holds a lock file; looking disturbs neither it nor others who look.

A lock of the system's on an open file, as ``filelock`` takes them: it ends with the process that holds it,
however that ends. Slicer brings no ``filelock``, and needs none to look.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import errno
    import fcntl


def is_locked(path: Path) -> bool:
    """Whether the file is locked; False where there is none, or where it may not be read."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return _is_locked(file)
    finally:
        os.close(file)


if sys.platform == "win32":

    def _is_locked(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return True
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
        return False

else:

    def _is_locked(file: int) -> bool:
        try:
            # Shared, so that several who look at once do not see one another.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            # Any other refusal says that the disk knows no locks.
            return error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)
        # Closing the file gives the lock back.
        return False
