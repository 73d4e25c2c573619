"""How much of the computer's main memory is free."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

_CONTROL_GROUP_FILES = (
    # Version 2, then version 1: limit, usage, statistics, the key of the cache that can be given up.
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def available_main_memory() -> int:
    """Bytes of main memory that could be had now without swapping; within a container, of its share."""
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        report = subprocess.run(["/usr/bin/vm_stat"], check=True, capture_output=True, text=True)
        return free_by_vm_stat(report.stdout)
    free = free_by_meminfo(Path("/proc/meminfo").read_text(encoding="ascii"))
    share = free_in_control_group(Path("/sys/fs/cgroup"))
    return free if share is None else min(free, share)


def free_by_meminfo(text: str) -> int:
    """Bytes available by the text of Linux's ``/proc/meminfo``."""
    return _number_after(r"MemAvailable:", text) * 1024


def free_by_vm_stat(text: str) -> int:
    """Bytes available by what macOS's ``vm_stat`` prints."""
    pages = _number_after(r"Pages free:", text) + _number_after(r"Pages inactive:", text)
    return pages * _number_after(r"page size of", text)


def free_in_control_group(root: Path) -> int | None:
    """Bytes left to this container by Linux's control groups, or None where there is no limit."""
    for limit, usage, statistics, cache in _CONTROL_GROUP_FILES:
        if (root / limit).is_file():
            allowed = (root / limit).read_text(encoding="ascii").strip()
            if allowed == "max":
                return None
            used = int((root / usage).read_text(encoding="ascii"))
            reclaimable = _number_after(rf"^{cache}", (root / statistics).read_text(encoding="ascii"))
            return max(0, int(allowed) - used + reclaimable)
    return None


def _number_after(pattern: str, text: str) -> int:
    found = re.search(pattern + r"\s+(\d+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"no number after {pattern!r} in {text[:200]!r}")
    return int(found.group(1))


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = [
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        ("total_physical", ctypes.c_ulonglong),
        ("available_physical", ctypes.c_ulonglong),
        ("total_page_file", ctypes.c_ulonglong),
        ("available_page_file", ctypes.c_ulonglong),
        ("total_virtual", ctypes.c_ulonglong),
        ("available_virtual", ctypes.c_ulonglong),
        ("available_extended_virtual", ctypes.c_ulonglong),
    ]


def _windows() -> int:
    if sys.platform != "win32":
        raise OSError("this asks the Windows API")
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("GlobalMemoryStatusEx failed")
    return int(status.available_physical)
