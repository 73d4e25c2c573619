"""Which Python runs the worker: what it says of itself, what it lacks, and what it must not inherit."""

from __future__ import annotations

import ast
import json
import os
import platform
import stat
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from CranialReconstructionLib.engine import environment
from CranialReconstructionLib.engine.environment import (
    REQUIREMENTS,
    Probe,
    install_command,
    missing_packages,
    probe,
    worker_command,
    worker_environment,
)
from CranialReconstructionLib.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "CranialReconstruction" / "CranialReconstructionLib"
THIS = Path(sys.executable)
BARE = Probe((3, 12, 1), 64, "x86_64", "/there/python", {})

posix = pytest.mark.skipif(os.name == "nt", reason="scripts with a first line")


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def answering(path: Path, **changes: object) -> Path:
    """A program that answers as a Python with ``changes`` would."""
    values = {"python": [3, 12, 0], "bits": 64, "machine": "x", "executable": "p", "packages": {}, **changes}
    return program(path, f"#!/bin/sh\necho 'a launcher says hello'\necho '{json.dumps(values)}'\n")


def test_this_python_says_what_it_is_and_lacks_nothing() -> None:
    found = probe(THIS, worker_environment(THIS))
    assert found.python == sys.version_info[:3]
    assert found.machine == platform.machine()
    assert found.packages["torch"] == version("torch")
    assert missing_packages(found) == ()


@posix
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho I am a shell\n", "not a working Python .*I am a shell"),
        ("#!/bin/sh\necho broken >&2; exit 3\n", "not a working Python .*broken"),
        ("#!/bin/sh\necho 3\n", "not a working Python"),
        ("\x7fELF of another processor", "not a program of this kind"),
        ("#!/no/such/interpreter\n", "cannot be run"),
    ],
)
def test_what_is_no_python_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        probe(program(tmp_path / "python", text))
    assert refused.value.where == str(tmp_path / "python")


@posix
def test_a_python_too_old_or_too_narrow_is_refused_with_its_version(tmp_path: Path) -> None:
    assert probe(answering(tmp_path / "good")).python == (3, 12, 0)
    with pytest.raises(UserError, match=r"Python 3\.9\.2, and 3\.11 or later"):
        probe(answering(tmp_path / "old", python=[3, 9, 2]))
    with pytest.raises(UserError, match="32-bit"):
        probe(answering(tmp_path / "narrow", bits=32))


@posix
def test_a_program_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PROBE_SECONDS", 0.3)
    with pytest.raises(UserError, match="no answer"):
        probe(program(tmp_path / "python", "#!/bin/sh\nexec sleep 20\n"))


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "python", tmp_path):
        with pytest.raises(UserError, match="cannot be run"):
            probe(path)


def test_missing_and_old_packages_are_named() -> None:
    assert missing_packages(BARE) == REQUIREMENTS
    complete = replace(BARE, packages={requirement.name: requirement.least for requirement in REQUIREMENTS})
    assert missing_packages(complete) == ()
    # 10 is as good as 10.0, 2.10 newer than 2.4, and a build's own suffix does not matter.
    packages = {**complete.packages, "torch": "2.10.0+cu128", "pillow": "10", "vtk": "", "monai": "1.4.2"}
    lacking = replace(complete, packages=packages)
    assert [str(requirement) for requirement in missing_packages(lacking)] == ["monai>=1.5"]


def test_packages_come_from_the_network_or_from_a_folder_and_never_from_both(tmp_path: Path) -> None:
    python, wanted = Path("/there/python"), missing_packages(BARE)[:2]
    online = install_command(python, wanted)
    assert online[:4] == [str(python), "-m", "pip", "install"]
    assert online[-2:] == ["einops>=0.8", "highdicom>=0.26"]
    assert "--no-index" not in online
    with pytest.raises(UserError, match="no wheels"):
        install_command(python, wanted, tmp_path)
    (tmp_path / "einops-0.8.1-py3-none-any.whl").write_bytes(b"")
    offline = install_command(python, wanted, tmp_path)
    place = offline.index("--no-index")
    assert offline[place : place + 3] == ["--no-index", "--find-links", str(tmp_path)]


def test_another_python_does_not_inherit_what_slicer_sets_for_itself(tmp_path: Path) -> None:
    slicer, cuda = tmp_path / "Slicer", tmp_path / "cuda"
    start = {
        "SLICER_HOME": str(slicer),
        "PATH": os.pathsep.join([str(slicer / "bin"), "/usr/bin"]),
        "LD_LIBRARY_PATH": os.pathsep.join([str(slicer / "lib"), str(cuda)]),
        "DYLD_LIBRARY_PATH": str(slicer / "lib"),
        "PYTHONHOME": str(slicer / "lib" / "Python"),
        "PYTHONPATH": str(slicer / "bin"),
        "QT_PLUGIN_PATH": str(slicer / "plugins"),
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "HTTPS_PROXY": "http://proxy",
    }
    other = worker_environment(tmp_path / "env" / "python", start)
    assert other["PATH"] == "/usr/bin"
    assert other["LD_LIBRARY_PATH"] == str(cuda)
    assert other["PYTHONPATH"] == str(LIBRARY.parent)
    assert other["HTTPS_PROXY"] == "http://proxy"
    assert not {"DYLD_LIBRARY_PATH", "PYTHONHOME", "QT_PLUGIN_PATH", "QTWEBENGINE_DISABLE_SANDBOX"} & set(other)
    own = worker_environment(environment.own_python(), start)
    assert {**start, "PYTHONPATH": own["PYTHONPATH"]}.items() <= own.items()
    assert own["PYTHONPATH"].split(os.pathsep) == [str(LIBRARY.parent), str(slicer / "bin")]


def test_a_file_in_the_users_folder_cannot_take_the_place_of_a_library(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken')")
    done = subprocess.run(
        worker_command(THIS), cwd=tmp_path, env=worker_environment(THIS), input=b"", capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"hello" in done.stdout


def test_requirements_are_the_librarys() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {str(requirement) for requirement in REQUIREMENTS} <= set(project["dependencies"])
    known = {requirement.module for requirement in REQUIREMENTS} | {"vtkmodules", "CranialReconstructionLib"}
    for room in ("imaging", "reconstruction", "implant", "engine"):
        for path in (LIBRARY / room).rglob("*.py"):
            assert imported(path) - known - set(sys.stdlib_module_names) == set(), path


def imported(path: Path) -> set[str]:
    """The top names of all that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names
