"""Write the Python files and resources of both modules into their CMakeLists.txt, where Slicer's packager looks.

Run it after adding, renaming or deleting one: ``python Testing/makers/list_packaged_files.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("CranialReconstruction", "CranialAugmentationTrainer")


def packaged_files(module: str) -> list[str]:
    """The module file and every Python file of its library, relative to the module's folder."""
    folder = ROOT / module
    library = sorted((folder / f"{module}Lib").rglob("*.py"))
    return [f"{module}.py", *(path.relative_to(folder).as_posix() for path in library)]


def packaged_resources(module: str) -> list[str]:
    """Every file of the module's own Resources folder, relative to the module's folder."""
    folder = ROOT / module
    files = (path for path in (folder / "Resources").rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def write_list(module: str, variable: str, files: list[str]) -> None:
    """Replace the list ``variable`` in the module's CMakeLists.txt."""
    cmake = ROOT / module / "CMakeLists.txt"
    names = [name.replace(module, "${MODULE_NAME}", 1) for name in files]
    block = "\n".join([f"set({variable}", *(f"  {name}" for name in names), "  )\n"])
    known = re.compile(rf"set\({variable}\n.*?\n  \)\n", re.DOTALL)
    text, count = known.subn(lambda _: block, cmake.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{cmake} has {count} lists {variable} where one is expected")
    cmake.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in MODULES:
        write_list(name, "MODULE_PYTHON_SCRIPTS", packaged_files(name))
        write_list(name, "MODULE_PYTHON_RESOURCES", packaged_resources(name))
