"""The most main memory that this process has held so far."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource


def peak_main_memory() -> int:
    """Bytes of main memory, at the most, since the process began; what is given back is not taken off."""
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # What getrusage tells on Linux begins with the memory of whoever started the process.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = [
        ("size", ctypes.c_ulong),
        ("page_faults", ctypes.c_ulong),
        ("peak_working_set", ctypes.c_size_t),
        ("working_set", ctypes.c_size_t),
        *((name, ctypes.c_size_t) for name in ("peak_paged", "paged", "peak_nonpaged", "nonpaged")),
        ("page_file", ctypes.c_size_t),
        ("peak_page_file", ctypes.c_size_t),
    ]


def _windows() -> int:
    if sys.platform != "win32":
        raise OSError("this asks the Windows API")
    counters = _Counters(size=ctypes.sizeof(_Counters))
    kernel = ctypes.windll.kernel32
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    if not kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size):
        raise OSError("K32GetProcessMemoryInfo failed")
    return int(counters.peak_working_set)
