"""Write the Python files of both modules into their CMakeLists.txt, where Slicer's packager looks.

Run it after adding, renaming or deleting a Python file: ``python Testing/makers/list_packaged_files.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("CranialReconstruction", "CranialAugmentationTrainer")
SCRIPTS = re.compile(r"set\(MODULE_PYTHON_SCRIPTS\n.*?\n  \)\n", re.DOTALL)


def packaged_files(module: str) -> list[str]:
    """The module file and every Python file of its library, relative to the module's folder."""
    folder = ROOT / module
    library = sorted((folder / f"{module}Lib").rglob("*.py"))
    return [f"{module}.py", *(path.relative_to(folder).as_posix() for path in library)]


def write_list(module: str) -> None:
    """Replace the list of scripts in the module's CMakeLists.txt."""
    cmake = ROOT / module / "CMakeLists.txt"
    names = [name.replace(module, "${MODULE_NAME}", 1) for name in packaged_files(module)]
    block = "\n".join(["set(MODULE_PYTHON_SCRIPTS", *(f"  {name}" for name in names), "  )\n"])
    text, count = SCRIPTS.subn(lambda _: block, cmake.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{cmake} has {count} lists MODULE_PYTHON_SCRIPTS where one is expected")
    cmake.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in MODULES:
        write_list(name)
