"""What is shipped: Slicer's package lists, icons, entry points, versions, the size of the repository."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from CranialReconstructionLib import __version__
from CranialReconstructionLib.cli.command import Command

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("CranialReconstruction", "CranialAugmentationTrainer")
LARGEST_FILE = 12 * 2**20


def cmake_list(module: str, variable: str) -> list[str]:
    """The entries of ``set(variable ...)`` in the module's CMakeLists.txt."""
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    body = re.search(rf"set\({variable}\s+([^)]*)\)", text)
    assert body is not None, f"no {variable}"
    return [entry.replace("${MODULE_NAME}", module) for entry in body.group(1).split()]


@pytest.mark.parametrize("module", MODULES)
def test_every_python_file_is_packaged_for_slicer(module: str) -> None:
    listed = cmake_list(module, "MODULE_PYTHON_SCRIPTS")
    library = (ROOT / module / f"{module}Lib").rglob("*.py")
    present = [f"{module}.py", *(path.relative_to(ROOT / module).as_posix() for path in library)]
    assert sorted(listed) == sorted(present), "run: python Testing/makers/list_packaged_files.py"


@pytest.mark.parametrize("module", MODULES)
def test_every_resource_of_a_module_is_packaged_for_slicer(module: str) -> None:
    resources = cmake_list(module, "MODULE_PYTHON_RESOURCES")
    # The name by which Slicer looks for the module's icon.
    assert f"Resources/Icons/{module}.png" in resources
    files = (path for path in (ROOT / module / "Resources").rglob("*") if path.is_file())
    present = sorted(path.relative_to(ROOT / module).as_posix() for path in files)
    assert sorted(resources) == present, "run: python Testing/makers/list_packaged_files.py"


def test_extension_metadata_is_what_the_extensions_index_checks() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    entries = dict(re.findall(r'set\((EXTENSION_\w+) "([^"]+)"\)', text))
    assert set(entries) == {
        "EXTENSION_HOMEPAGE",
        "EXTENSION_CONTRIBUTORS",
        "EXTENSION_DESCRIPTION",
        "EXTENSION_ICONURL",
        "EXTENSION_SCREENSHOTURLS",
        "EXTENSION_DEPENDS",
    }
    assert re.findall(r"add_subdirectory\((\w+)\)", text) == list(MODULES)
    icon = ROOT / entries["EXTENSION_ICONURL"].partition("/main/")[2]
    with Image.open(icon) as image:
        assert (image.format, image.size) == ("PNG", (128, 128))


def test_every_command_of_the_command_line_resolves() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    commands = project["entry-points"]["cranial.commands"]
    assert set(commands) >= {"segment-skull", "reconstruct", "evaluate", "models", "train-reconstruction"}
    for name, target in commands.items():
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, Command), name
    module, _, attribute = project["scripts"]["cranial"].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == __version__


def test_constraints_hold_every_requirement_by_an_exact_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["train"], *extras["test"]]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {
        line.partition("==")[0].lower().replace("_", "-"): line.partition("==")[2]
        for line in lines
        if line and not line.startswith("#")
    }
    names = [re.split(r"[\s\[<>=!~]", requirement)[0].lower().replace("_", "-") for requirement in wanted]
    assert [name for name in names if not pinned.get(name)] == []
    # A local suffix ("+cpu") or a package of one platform would fail on the others.
    assert [name for name, version in pinned.items() if "+" in version or name.startswith("nvidia")] == []


def test_no_file_in_git_is_large() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    assert files
    assert [str(path) for path in files if path.is_file() and path.stat().st_size > LARGEST_FILE] == []
