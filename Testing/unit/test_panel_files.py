"""Both panels against their .ui files, without Slicer: every widget, signal and bound parameter that is named is there.

Signals and properties are those of Slicer 5.12, CTK and Qt 5.15/6.8, read in their headers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "CranialReconstruction" / "CranialReconstructionLib" / "widgets"


@dataclass(frozen=True)
class Module:
    """A module's panel.

    Attributes:
        name: of the module, and of the panel's own page.
        panel: class that the page belongs to.
        node: class of the parameter node.
        indirect: parameters that the code sets and shows itself, in words, lists or views.
    """

    name: str
    panel: str
    node: str
    indirect: frozenset[str]

    @property
    def code(self) -> Path:
        return ROOT / self.name / f"{self.name}Lib" / "widgets"

    @property
    def folder(self) -> Path:
        return ROOT / self.name / "Resources" / "UI"

    @property
    def pages(self) -> list[Path]:
        return sorted(self.folder.glob("*.ui"))


MODULES = (
    Module(
        "CranialReconstruction",
        "Panel",
        "CaseParameters",
        frozenset({"model", "axis", "preview", "implant", "design.number"}),
    ),
    Module(
        "CranialAugmentationTrainer",
        "TrainerPanel",
        "TrainerParameters",
        frozenset(
            {
                *(f"set_up.{name}" for name in ("parent", "data", "method", "preset", "augment", "changes")),
                *(f"set_up.{name}" for name in ("autoencoder", "cache", "split")),
                "watch.run",
                "watch.shown",
                "sets.known",
                "latent.sources",
                "comparison.runs",
                "comparison.network",
            }
        ),
    ),
)
PAGES = [page for module in MODULES for page in module.pages]

# Which widgets Slicer's parameter node can bind to which type of value: parameterNodeWrapper/guiConnectors.py.
BINDABLE = {
    "bool": {"QCheckBox", "QPushButton"},
    "int": {"QSpinBox", "QSlider"},
    "float": {"QDoubleSpinBox", "ctkSliderWidget"},
    "str": {"QLineEdit"},
    "Path": {"ctkPathLineEdit", "ctkDirectoryButton"},
    "enum": {"QComboBox", "ctkComboBox"},
    "node": {"qMRMLNodeComboBox"},
    "SegmentChoice": {"qMRMLSegmentSelectorWidget"},
    # An enumeration of the first module's.
    "Device": {"QComboBox"},
}
SIGNALS = {
    "QCheckBox": {"toggled(bool)", "clicked()", "stateChanged(int)"},
    "QPushButton": {"clicked()", "clicked(bool)", "toggled(bool)"},
    "QComboBox": {"currentIndexChanged(int)", "activated(int)"},
    "QTableWidget": {"cellClicked(int,int)"},
    "QTreeWidget": {"currentItemChanged(QTreeWidgetItem*,QTreeWidgetItem*)", "itemChanged(QTreeWidgetItem*,int)"},
    "QListWidget": {"itemChanged(QListWidgetItem*)"},
    "QSlider": {"valueChanged(int)"},
    "QDoubleSpinBox": {"valueChanged(double)"},
    "ctkSliderWidget": {"valueChanged(double)"},
    "ctkCollapsibleButton": {"contentsCollapsed(bool)"},
    "ctkPathLineEdit": {"currentPathChanged(QString)"},
    "qMRMLNodeComboBox": {"currentNodeChanged(vtkMRMLNode*)"},
    "qMRMLSegmentSelectorWidget": {"currentNodeChanged(vtkMRMLNode*)", "currentSegmentChanged(QString)"},
}
# What a .ui file may set, by class; others are ignored by Qt with a line in the log.
PROPERTIES = {
    "qMRMLNodeComboBox": {
        "nodeTypes", "noneEnabled", "addEnabled", "removeEnabled", "renameEnabled", "showHidden", "baseName",
        "showChildNodeTypes",
    },
    "qMRMLSegmentSelectorWidget": {"noneEnabled"},
    "qMRMLSegmentEditorWidget": {
        "segmentationNodeSelectorVisible", "sourceVolumeNodeSelectorVisible", "addRemoveSegmentButtonsVisible",
        "switchToSegmentationsButtonVisible", "maximumNumberOfUndoStates",
    },
    "qSlicerMarkupsPlaceWidget": set(),
    "ctkCollapsibleButton": {"text", "collapsed"},
    "ctkCollapsibleGroupBox": {"title", "collapsed"},
    "ctkSliderWidget": {"suffix", "tracking", "decimals", "singleStep"},
    "ctkPathLineEdit": {"filters", "settingKey"},
}  # fmt: skip
OF_EVERY_WIDGET = {"toolTip", "geometry", "SlicerParameterName", "enabled"}


def widgets_of(page: Path) -> dict[str, str]:
    """Name -> class of every widget of a .ui file."""
    return {entry.get("name", ""): entry.get("class", "") for entry in ElementTree.parse(page).iter("widget")}


def bound_in(page: Path) -> dict[str, str]:
    """Parameter -> class of the widget that it is bound to."""
    found = {}
    for entry in ElementTree.parse(page).iter("widget"):
        for prop in entry.findall("property"):
            if prop.get("name") == "SlicerParameterName":
                found[prop.findtext("string", "")] = entry.get("class", "")
    return found


def classes(path: Path) -> dict[str, ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def parameters(module: Module, of: str = "", prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and kind of type of everything that a parameter node, or a pack, holds."""
    known = classes(module.code / "parameters.py")
    for entry in known[of or module.node].body:
        if not isinstance(entry, ast.AnnAssign) or not isinstance(entry.target, ast.Name):
            continue
        hint = entry.annotation
        if isinstance(hint, ast.Subscript):
            assert isinstance(hint.slice, ast.Tuple)
            hint = hint.slice.elts[0]
        assert isinstance(hint, ast.Name)
        name, kind = f"{prefix}{entry.target.id}", hint.id
        if kind.startswith("vtkMRML"):
            yield name, "node"
        elif kind in known and any(ast.unparse(base) == "enum.Enum" for base in known[kind].bases):
            yield name, "enum"
        elif kind in known and kind != "SegmentChoice":
            yield from parameters(module, kind, f"{name}.")
        else:
            yield name, kind


def pages_of_code(module: Module) -> Iterator[tuple[Path, Path, dict[str, str]]]:
    """Page, file and table of widgets of each class that has a page."""
    shared = table_of(classes(SHARED / "place_box.py")["PlaceBox"], {})
    for path in sorted(module.code.glob("*.py")):
        for node in classes(path).values():
            page = next((e.value.value for e in assigned(node, "PAGE") if isinstance(e.value, ast.Constant)), None)
            if node.name == module.panel:
                page = module.name
            if isinstance(page, str):
                yield module.folder / f"{page}.ui", path, table_of(node, shared)


def assigned(node: ast.ClassDef, name: str) -> Iterator[ast.Assign | ast.AnnAssign]:
    for entry in node.body:
        targets = entry.targets if isinstance(entry, ast.Assign) else [getattr(entry, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(entry, ast.Assign | ast.AnnAssign)
            yield entry


def table_of(node: ast.ClassDef, shared: dict[str, str]) -> dict[str, str]:
    for entry in assigned(node, "WIDGETS"):
        if isinstance(entry.value, ast.Dict):
            own = {}
            for key, value in zip(entry.value.keys, entry.value.values, strict=True):
                if key is None:
                    own.update(shared)
                else:
                    own[ast.literal_eval(key)] = ast.literal_eval(value)
            return own
    return {}


def named_in(path: Path) -> set[str]:
    """The widgets that a file names: what is taken from something called ``ui`` or ``_ui``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in ("ui", "_ui"):
                found.add(node.attr)
    return found


CODED = [coded for module in MODULES for coded in pages_of_code(module)]
IDS = [page.stem for page, _, _ in CODED]


def test_every_page_has_its_code_and_every_code_its_page() -> None:
    assert sorted(page for page, _, _ in CODED) == sorted(PAGES)


@pytest.mark.parametrize(("page", "path", "table"), CODED, ids=IDS)
def test_every_widget_named_in_code_is_in_the_page(page: Path, path: Path, table: dict[str, str]) -> None:
    there = widgets_of(page)
    assert {name: there.get(name) for name in table} == table
    assert named_in(path) - set(table) == set()


@pytest.mark.parametrize(("page", "path", "table"), CODED, ids=IDS)
def test_every_signal_is_one_of_its_widget(page: Path, path: Path, table: dict[str, str]) -> None:
    source = path.read_text(encoding="utf-8")
    connected = re.findall(r"\bui\.(\w+)\.connect\(\s*\"([^\"]+)\"", source)
    assert source.count(".connect(") >= len(connected)
    for widget, signal in connected:
        assert signal in SIGNALS[table[widget]], f"{widget}: {signal}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_sets_only_properties_that_there_are(page: Path) -> None:
    for entry in ElementTree.parse(page).iter("widget"):
        kind = entry.get("class", "")
        if kind in PROPERTIES:
            names = {prop.get("name") for prop in entry.findall("property")}
            assert names - PROPERTIES[kind] - OF_EVERY_WIDGET == set(), entry.get("name")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_mrml_widget_of_a_page_gets_the_scene(page: Path) -> None:
    tree = ElementTree.parse(page)
    told = {entry.findtext("receiver") for entry in tree.iter("connection")}
    takers = {name for name, kind in widgets_of(page).items() if kind.startswith("qMRML") and kind != "qMRMLWidget"}
    takers |= {name for name, kind in widgets_of(page).items() if kind == "qSlicerMarkupsPlaceWidget"}
    assert told == takers
    assert {entry.findtext("signal") for entry in tree.iter("connection")} <= {"mrmlSceneChanged(vtkMRMLScene*)"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_class_of_slicers_is_declared_with_its_header(page: Path) -> None:
    tree = ElementTree.parse(page)
    declared = {entry.findtext("class"): entry.findtext("header") for entry in tree.iter("customwidget")}
    used = {kind for kind in widgets_of(page).values() if kind.startswith(("q", "ctk")) and not kind.startswith("Q")}
    assert used <= set(declared)
    assert all(header == f"{kind}.h" for kind, header in declared.items())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_bound_parameter_exists_and_fits_its_widget(module: Module) -> None:
    held = dict(parameters(module))
    for page in module.pages:
        for name, widget in bound_in(page).items():
            assert name in held, f"{page.name}: {name}"
            assert widget in BINDABLE[held[name]], f"{page.name}: {name} is {held[name]} on {widget}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_parameter_can_be_seen_in_the_panel(module: Module) -> None:
    bound = {name for page in module.pages for name in bound_in(page)}
    assert set(dict(parameters(module))) == bound | module.indirect


def test_every_widget_that_is_used_has_a_tooltip_and_can_be_reached_by_keyboard() -> None:
    for page in PAGES:
        for entry in ElementTree.parse(page).iter("widget"):
            kind, name = entry.get("class", ""), entry.get("name", "")
            names = {prop.get("name") for prop in entry.findall("property")}
            from_docstrings = any(
                prop.findtext("string", "").startswith("design.")
                for prop in entry.findall("property")
                if prop.get("name") == "SlicerParameterName"
            )
            if kind in {"QPushButton", "QCheckBox", "QComboBox", "ctkSliderWidget", "ctkPathLineEdit"}:
                assert "toolTip" in names or from_docstrings, f"{page.stem}: {name}"
            assert "focusPolicy" not in names
            assert "styleSheet" not in names


def test_texts_for_people_can_be_translated() -> None:
    shown = re.compile(r"\.(?:text|toolTip|title)\s*=\s*f?\"[A-Za-z]")
    for path in (path for module in MODULES for path in module.code.glob("*.py")):
        assert shown.findall(path.read_text(encoding="utf-8")) == [], path.name
