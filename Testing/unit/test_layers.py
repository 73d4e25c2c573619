"""Which way imports point: the rooms of both libraries, torch, and Slicer."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = "CranialReconstructionLib"
TRAINER = "CranialAugmentationTrainerLib"
HOME = {CORE: ROOT / "CranialReconstruction", TRAINER: ROOT / "CranialAugmentationTrainer"}
MODULE_FILES = [folder / f"{folder.name}.py" for folder in HOME.values()]

# Single files beside the rooms, which are open to all and import nothing of this project.
OPEN = ("errors", "digest")
# What each room of CranialReconstructionLib may import of the others.
# A room that is not here yet is added here when it is built.
ALLOWED_ROOMS = {
    "imaging": set(),
    "reconstruction": {"imaging"},
    "evaluation": {"imaging"},
    "implant": {"imaging"},
    "engine": {"imaging", "reconstruction", "evaluation", "implant"},
    "scene": {"imaging", "implant"},
    # Reads manifests and designs, which need no torch; the rest of those rooms is the worker's.
    "workflow": {"imaging", "reconstruction", "implant", "scene", "engine"},
    "widgets": {"scene", "engine", "workflow"},
    "cli": {"imaging", "reconstruction", "evaluation", "implant"},
}
# Rooms of the Trainer that Slicer's process opens, and what they may import of either library.
OPENED_BY_SLICER = {
    "scene": {(TRAINER, "datasets"), (CORE, "scene"), (CORE, "imaging")},
    "workflow": {
        *((TRAINER, name) for name in ("scene", "datasets", "training", "study", "cli")),
        *((CORE, name) for name in ("engine", "imaging", "scene", "workflow", "cli")),
    },
    "widgets": {
        *((TRAINER, name) for name in ("scene", "workflow", "cli")),
        *((CORE, name) for name in ("engine", "scene", "widgets", "workflow")),
    },
}
ROOMS = sorted(path.parent.name for path in (HOME[CORE] / CORE).glob("*/__init__.py"))
TORCH = {"torch", "monai", "lightning", "pytorch_lightning", "torchmetrics"}
TORCH_ROOMS = {
    (CORE, "reconstruction"),
    (CORE, "engine"),
    (TRAINER, "augmentation"),
    (TRAINER, "generators"),
    (TRAINER, "sampling"),
    (TRAINER, "synthesis"),
    (TRAINER, "training"),
    (TRAINER, "latent"),
    (TRAINER, "study"),
    (TRAINER, "remote"),
}


class Import(NamedTuple):
    """One imported name: where, of which dotted module, and whether at file scope."""

    library: str
    room: str
    path: Path
    module: str
    at_file_scope: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)} imports {self.module}"


def imported_modules(source: str, package: str) -> Iterator[tuple[str, bool]]:
    """Every imported module of a file of ``package``, dotted and absolute, and whether at file scope."""

    def walk(node: ast.AST, at_file_scope: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, at_file_scope) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    parents = package.split(".")[: len(package.split(".")) - child.level + 1]
                    base = ".".join([*parents, base]).rstrip(".")
                yield from ((f"{base}.{alias.name}", at_file_scope) for alias in child.names)
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                # Types are not imported when the code runs, but a room named there is still known.
                yield from walk(child, False)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, at_file_scope and not inside)

    yield from walk(ast.parse(source), True)


def imports_of(library: str) -> list[Import]:
    """All imports of a library's files."""
    found = []
    for path in sorted((HOME[library] / library).rglob("*.py")):
        parts = path.relative_to(HOME[library]).parts
        room = parts[1] if len(parts) > 2 else ""
        for module, at_file_scope in imported_modules(path.read_text(encoding="utf-8"), ".".join(parts[:-1])):
            found.append(Import(library, room, path, module, at_file_scope))
    return found


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    found = [*imports_of(CORE), *imports_of(TRAINER)]
    assert len(found) > 20
    return found


def top(module: str) -> str:
    return module.partition(".")[0]


def room_of(module: str) -> str:
    """The room of CranialReconstructionLib that a dotted name lies in ("" for none)."""
    parts = module.split(".")
    return parts[1] if parts[0] == CORE and len(parts) > 1 else ""


def test_the_walker_sees_what_it_must() -> None:
    source = (
        "import torch.nn\nfrom ..imaging import volume\n"
        "def run():\n    import monai\n"
        "class A:\n    from scipy import ndimage\n"
        "if TYPE_CHECKING:\n    import lightning\n"
    )
    assert dict(imported_modules(source, f"{CORE}.cli")) == {
        "torch.nn": True,
        f"{CORE}.imaging.volume": True,
        "monai": False,
        "scipy.ndimage": True,
        "lightning": False,
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(imports: list[Import], room: str) -> None:
    allowed = ALLOWED_ROOMS[room] | {room, *OPEN, "__version__", ""}
    own = [e for e in imports if (e.library, e.room) == (CORE, room) and top(e.module) == CORE]
    assert [str(entry) for entry in own if room_of(entry.module) not in allowed] == []


@pytest.mark.parametrize("room", OPENED_BY_SLICER)
def test_a_room_of_the_trainer_that_slicer_opens_imports_only_its_own(imports: list[Import], room: str) -> None:
    allowed = OPENED_BY_SLICER[room] | {(TRAINER, room), *((CORE, name) for name in OPEN)}
    own = [entry for entry in imports if (entry.library, entry.room) == (TRAINER, room) and top(entry.module) in HOME]
    assert len(own) > 3
    strays = [str(entry) for entry in own if tuple(entry.module.split(".")[:2]) not in allowed | {(TRAINER,)}]
    assert strays == []


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_to_all_stands_below_every_room(imports: list[Import], name: str) -> None:
    own = [entry for entry in imports if entry.path == HOME[CORE] / CORE / f"{name}.py"]
    assert [str(entry) for entry in own if top(entry.module) == CORE] == []


def test_the_trainer_imports_the_core_and_never_the_other_way_round(imports: list[Import]) -> None:
    assert [str(e) for e in imports if e.library == CORE and top(e.module).startswith("CranialAug")] == []


def test_torch_stays_in_its_rooms(imports: list[Import]) -> None:
    strays = [
        str(entry)
        for entry in imports
        if top(entry.module) in TORCH
        and (entry.library, entry.room) not in TORCH_ROOMS
        and not (entry.room == "cli" and not entry.at_file_scope)
    ]
    assert strays == []


def test_commands_import_the_other_rooms_when_they_run(imports: list[Import]) -> None:
    early = [e for e in imports if e.room == "cli" and e.at_file_scope and top(e.module) in HOME]
    light = {(CORE, "cli"), *((CORE, name) for name in OPEN), (CORE, "__version__"), (TRAINER, "cli")}
    assert [str(e) for e in early if tuple(e.module.split(".")[:2]) not in light] == []


def test_the_command_line_starts_without_torch() -> None:
    code = (
        "import json, sys\n"
        "from importlib.metadata import entry_points\n"
        "[point.load() for point in entry_points(group='cranial.commands')]\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    loaded = json.loads(run_python(code))
    assert {CORE, TRAINER} <= set(loaded)
    assert TORCH & set(loaded) == set()


def test_slicer_is_imported_only_by_the_scene_and_what_is_seen(imports: list[Import]) -> None:
    in_slicer = [e for e in imports if top(e.module) == "slicer" and e.room not in {"scene", "widgets"}]
    in_qt = [e for e in imports if top(e.module) in {"qt", "ctk"} and e.room != "widgets"]
    assert [str(entry) for entry in [*in_slicer, *in_qt]] == []


# Stands for all of Slicer's Qt side: opening a panel against it runs the code's own imports and its setup.
ANYTHING = """
class Kind(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()


class Anything(metaclass=Kind):
    def __init__(self, *arguments, **options):
        pass

    def __call__(self, *arguments, **options):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __iter__(self):
        return iter(())

    def __str__(self):
        return ""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (Anything,), {})
"""
TRANSLATION = "def tr(text):\n    return text\n\ndef translate(context, text):\n    return text\n"
SCRIPTED = """
from anything import Anything

class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent

class ScriptedLoadableModuleWidget:
    def __init__(self, parent):
        self.parent, self.layout = parent, Anything()

    def setup(self):
        pass

class ScriptedLoadableModuleLogic:
    def getParameterNode(self):
        return None

class ScriptedLoadableModuleTest:
    pass
"""
SUBSTITUTES = {
    "anything.py": ANYTHING,
    "slicer/__init__.py": "from anything import Anything, __getattr__\nutil = mrmlScene = app = Anything()\n",
    "slicer/util.py": "from anything import Anything, __getattr__\nclass VTKObservationMixin:\n"
    "    def __init__(self):\n        pass\n    def addObserver(self, *arguments):\n        pass\n",
    "slicer/i18n.py": TRANSLATION,
    "slicer/parameterNodeWrapper.py": "from anything import Anything, __getattr__\n",
    "slicer/ScriptedLoadableModule.py": SCRIPTED,
    "qt.py": "from anything import Anything, __getattr__\n",
    "ctk.py": "from anything import Anything, __getattr__\n",
}

OPEN_BOTH_MODULES = """
import json, sys
from types import SimpleNamespace
import CranialAugmentationTrainer as trainer
import CranialReconstruction as reconstruction

at_start = sorted(sys.modules)
titles = []
for module in (reconstruction, trainer):
    parent = SimpleNamespace()
    getattr(module, module.__name__)(parent)
    titles.append(parent.title)
    getattr(module, module.__name__ + "Widget")(None).setup()
print(json.dumps({"titles": titles, "at_start": at_start, "opened": sorted(sys.modules)}))
"""


def run_python(code: str, *arguments: str, first: tuple[Path, ...] = ()) -> str:
    """What ``code`` prints in a fresh interpreter that looks for modules in ``first`` first."""
    setup = f"import sys; sys.path[:0] = {[str(folder) for folder in (*first, *HOME.values())]}\n"
    done = subprocess.run([sys.executable, "-c", setup + code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_neither_slicers_start_nor_opening_a_module_loads_what_is_heavy(tmp_path: Path) -> None:
    for name, text in SUBSTITUTES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    seen = json.loads(run_python(OPEN_BOTH_MODULES, first=(tmp_path,)))

    assert seen["titles"] == ["Cranial Reconstruction", "Cranial Augmentation Trainer"]
    # Slicer reads every module's file at its start.
    assert {top(name) for name in seen["at_start"]} & (TORCH | {"numpy", "SimpleITK", "scipy"}) == set()
    assert f"{CORE}.widgets.panel" in seen["opened"]
    assert {top(name) for name in seen["opened"]} & (TORCH | {"pydicom", "skimage", "manifold3d"}) == set()


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.stem)
def test_module_files_import_nothing_that_slicer_lacks(path: Path) -> None:
    allowed = {"__future__", "ctk", "qt", "slicer", "vtk", CORE, TRAINER}
    found = {top(module) for module, _ in imported_modules(path.read_text(encoding="utf-8"), "")}
    assert found - allowed - set(sys.stdlib_module_names) == set()
