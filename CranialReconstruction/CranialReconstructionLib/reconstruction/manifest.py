"""What a model package says of itself: ``manifest.json``.

No torch here: Slicer's own process shows manifests, and must not load it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.json_section import JsonSection

MANIFEST_FILE = "manifest.json"
SHAPE_FILE = "shape.safetensors"
SCHEMA = 1
ARCHITECTURES = ("residual_unet", "attention_unet", "segresnet", "unetr", "swin_unetr", "vnet")
PASSES = ("shell", "coarse", "head", "fine")
FIRST_PASSES = ("shell", "coarse", "head")

REMEDY = "Get the package again from where it was published, or write it again from its training run."

_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WEIGHTS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class NetworkEntry:
    """One network of a package.

    Attributes:
        architecture: one of ``ARCHITECTURES``.
        arguments: of its constructor.
        input_channels: what each input channel holds, in order ("occupancy", "coarse_probability").
        spacing_mm: edge of the isotropic voxels that it was trained on.
        window_voxels: input shape (K, J, I) of one forward pass.
        weights: name of the weights file in the package; filled in when the package is written.
        sha256: of that file; filled in when the package is written.
    """

    architecture: str
    arguments: Mapping[str, Any]
    input_channels: tuple[str, ...]
    spacing_mm: float
    window_voxels: tuple[int, int, int]
    weights: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class HeadGrid:
    """The canonical head grid of the first pass: its name and its box (right-left,
    front-back, up-down) in millimetres."""

    name: str
    extents_mm: tuple[float, float, float]


@dataclass(frozen=True)
class TrainingData:
    """A set of skulls that the weights were learned from, with its licence."""

    name: str
    licence: str
    cases: int


@dataclass(frozen=True)
class Training:
    """How the weights came to be; ``split_sha256`` is of the file that says which skull was on which side."""

    data: tuple[TrainingData, ...]
    command: str
    steps: int
    seconds: float
    machine: str
    split_sha256: str


@dataclass(frozen=True)
class Figure:
    """A measured figure: ``metric`` names its unit where it has one ("HD95 mm")."""

    metric: str
    value: float
    cases: str
    command: str


@dataclass(frozen=True)
class ModelManifest:
    """Everything about a package but its weights.

    Attributes:
        schema: version of this layout.
        name: lower-case letters, digits, dots, dashes, underscores; also the package's folder.
        version: of the weights.
        description: a sentence for the list of models.
        licence: of the weights.
        networks: by pass: "shell", "coarse" or "head" over the whole head, and "fine" where there is a second.
        head_grid: where the first pass looks.
        post_processing: its constants ("threshold", "minimum_component_ml", ...), chosen on validation skulls.
        training: data, command, cost.
        figures: what was measured, the headline first.
        shape_sha256: of the shape model that a shell pass starts from; empty where there is none.
        coverage: statistics of the training cases, [low, high] each; a case outside is warned about.
    """

    schema: int = field(default=SCHEMA, kw_only=True)
    name: str
    version: str
    description: str
    licence: str
    networks: Mapping[str, NetworkEntry]
    head_grid: HeadGrid
    post_processing: Mapping[str, float]
    training: Training
    figures: tuple[Figure, ...]
    coverage: Mapping[str, tuple[float, float]]
    shape_sha256: str = ""


def read_manifest(folder: Path) -> ModelManifest:
    """The manifest of the package in ``folder``; the weights are not looked at.

    Raises:
        UserError: there is none, or it is not what this version reads; the reason is named.
    """
    path = folder / MANIFEST_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"the package has no readable {MANIFEST_FILE} ({error.strerror})",
            where=str(folder),
            remedy=REMEDY,
        ) from error
    except ValueError as error:
        raise UserError(f"this is not JSON ({error})", where=str(path), remedy=REMEDY) from error
    return parse_manifest(values, str(path))


def parse_manifest(values: object, where: str) -> ModelManifest:
    """A manifest from parsed JSON; ``where`` is named in errors. Keys that it does not know are left alone.

    Raises:
        UserError: a key is missing or holds what it should not.
    """
    top = JsonSection(values, where, REMEDY)
    schema = top.whole("schema")
    if schema > SCHEMA:
        raise UserError(
            f"the package has schema {schema} and this version reads up to {SCHEMA}",
            where=where,
            remedy="Update the extension, or take an older version of the package.",
        )
    name = top.text("name")
    if not _PACKAGE_NAME.fullmatch(name):
        raise top.refusal("name", f"{name!r} must be lower-case letters, digits, dots, dashes or underscores")
    entries = top.section("networks")
    passes = set(entries.names())
    if len(passes & set(FIRST_PASSES)) != 1 or not passes <= set(PASSES):
        raise top.refusal(
            "networks", "must hold one of 'shell', 'coarse' and 'head', may hold 'fine', and nothing else"
        )
    grid = top.section("head_grid")
    constants = top.section("post_processing")
    coverage = top.section("coverage")
    return ModelManifest(
        schema=schema,
        name=name,
        version=top.text("version"),
        description=top.text("description"),
        licence=top.text("licence"),
        networks={key: _network(entries.section(key)) for key in entries.names()},
        head_grid=HeadGrid(grid.text("name"), _extents(grid)),
        post_processing={key: constants.number(key) for key in constants.names()},
        training=_training(top.section("training")),
        figures=tuple(
            Figure(item.text("metric"), item.number("value"), item.text("cases"), item.text("command"))
            for item in top.sections("figures")
        ),
        coverage={key: _interval(coverage, key) for key in coverage.names()},
        shape_sha256=_shape_digest(top),
    )


def write_manifest(manifest: ModelManifest, folder: Path) -> None:
    """Write ``manifest.json`` into ``folder``, as ``read_manifest`` will accept it.

    Raises:
        UserError: the manifest holds what a reader would refuse.
    """
    path = folder / MANIFEST_FILE
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n"
    parse_manifest(json.loads(text), str(path))
    path.write_text(text, encoding="utf-8")


def verify_weights(folder: Path, entry: NetworkEntry) -> Path:
    """The weights file of ``entry``; see ``verify_file``."""
    return verify_file(folder, entry.weights, entry.sha256)


def verify_file(folder: Path, name: str, sha256: str) -> Path:
    """The file ``name`` of a package, its SHA256 compared.

    Raises:
        UserError: the file is missing, lies outside the package, or is not the one the manifest means.
    """
    path = folder / name
    if not path.is_file():
        raise UserError(f"the weights file {name} is missing", where=str(folder), remedy=REMEDY)
    if path.resolve().parent != folder.resolve():
        raise UserError(f"the weights file {name} lies outside the package", where=str(folder), remedy=REMEDY)
    found = sha256_of(path)
    if found != sha256:
        raise UserError(
            f"the SHA256 of the weights is {found[:12]}... where the manifest says {sha256[:12]}...",
            where=str(path),
            remedy=REMEDY,
        )
    return path


def _network(section: JsonSection) -> NetworkEntry:
    architecture = section.text("architecture")
    if architecture not in ARCHITECTURES:
        raise section.refusal("architecture", f"{architecture!r} is unknown, not one of {', '.join(ARCHITECTURES)}")
    weights = section.text("weights")
    if not _WEIGHTS_NAME.fullmatch(weights):
        raise section.refusal("weights", f"{weights!r} must be a plain file name that ends in .safetensors")
    sha256 = section.text("sha256")
    if not _SHA256.fullmatch(sha256):
        raise section.refusal("sha256", "must be 64 hexadecimal digits")
    spacing = section.number("spacing_mm")
    if spacing <= 0:
        raise section.refusal("spacing_mm", f"must be above zero, not {spacing:g}")
    k, j, i = section.numbers("window_voxels", 3)
    if min(k, j, i) < 1 or not all(side.is_integer() for side in (k, j, i)):
        raise section.refusal("window_voxels", "must be three whole numbers above zero")
    channels = section.texts("input_channels")
    arguments = section.section("arguments").mapping()
    taken = arguments.get("in_channels", 1)
    if taken != len(channels):
        raise section.refusal("input_channels", f"names {len(channels)} where the network takes {taken}")
    return NetworkEntry(architecture, arguments, channels, spacing, (int(k), int(j), int(i)), weights, sha256)


def _shape_digest(top: JsonSection) -> str:
    if not top.mapping().get("shape_sha256"):
        return ""
    digest = top.text("shape_sha256")
    if not _SHA256.fullmatch(digest):
        raise top.refusal("shape_sha256", "must be 64 hexadecimal digits, or empty")
    return digest


def _training(section: JsonSection) -> Training:
    return Training(
        data=tuple(
            TrainingData(item.text("name"), item.text("licence"), item.whole("cases"))
            for item in section.sections("data")
        ),
        command=section.text("command"),
        steps=section.whole("steps"),
        seconds=section.number("seconds"),
        machine=section.text("machine"),
        split_sha256=section.text("split_sha256"),
    )


def _extents(grid: JsonSection) -> tuple[float, float, float]:
    right_left, front_back, up_down = grid.numbers("extents_mm", 3)
    if min(right_left, front_back, up_down) <= 0:
        raise grid.refusal("extents_mm", "must be above zero")
    return right_left, front_back, up_down


def _interval(section: JsonSection, key: str) -> tuple[float, float]:
    low, high = section.numbers(key, 2)
    if low > high:
        raise section.refusal(key, f"runs from {low:g} down to {high:g}")
    return low, high
