"""A trained generator as a package: ``manifest.json`` and ``weights.safetensors``; nothing is unpickled.

Unlike a run it holds no optimiser, no events and no way back into training, does not change, and tells the
licence that its weights carry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from CranialAugmentationTrainerLib.generators.registry import build
from CranialAugmentationTrainerLib.generators.settings import parse_settings
from CranialAugmentationTrainerLib.synthesis.source import (
    CaseGenerator,
    GeneratorSource,
    RunSource,
    load_generator,
    run_configuration,
    short_reason,
)
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.json_section import JsonSection
from CranialReconstructionLib.reconstruction.manifest import MANIFEST_FILE, verify_file
from CranialReconstructionLib.reconstruction.staged_folder import staged_folder

WEIGHTS_FILE = "weights.safetensors"
KIND = "generator"
SCHEMA = 1
REMEDY = "Get the package again from where it was published, or write it again from its run."


@dataclass(frozen=True)
class GeneratorManifest:
    """What a package says of itself.

    Attributes:
        name, version, description: for people.
        licence: of the weights; they carry that of the data.
        data: what they were learned from.
        method: of the registry.
        settings: of the method.
        batches: that it learned from.
        sha256: of the weights; filled in when the package is written.
    """

    name: str
    version: str
    description: str
    licence: str
    data: str
    method: str
    settings: Mapping[str, Any]
    batches: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class PackageSource:
    """A package to generate from.

    Attributes:
        path: its folder.
        device: where it computes, a name of ``choose_device``.
    """

    path: Path
    device: str = "cpu"

    @property
    def origin(self) -> str:
        """The package's folder."""
        return str(self.path.resolve())

    def load(self) -> CaseGenerator:
        """The generator, on its device."""
        manifest = read_generator_manifest(self.path)
        where = str(self.path / MANIFEST_FILE)
        generator = build(manifest.method, parse_settings(manifest.method, manifest.settings, where))
        weights = verify_file(self.path, WEIGHTS_FILE, manifest.sha256)
        try:
            generator.load_state_dict(load_file(weights))
        except (SafetensorError, RuntimeError) as error:
            problem = f"the weights do not fit ({short_reason(error)})"
            raise UserError(problem, where=str(weights), remedy=REMEDY) from error
        return generator.eval().requires_grad_(False).to(choose_device(self.device))

    def recipe(self) -> dict[str, Any]:
        """Method and the weights' SHA256."""
        manifest = read_generator_manifest(self.path)
        return {"method": manifest.method, "weights": manifest.sha256}


def generator_source(path: Path, device: str = "cpu") -> GeneratorSource:
    """A run or a package, by what is in the folder.

    Raises:
        UserError: it is neither.
    """
    if (path / MANIFEST_FILE).is_file():
        return PackageSource(path, device)
    if (path / "run.json").is_file():
        return RunSource(path, device)
    raise UserError(
        "neither a run nor a generator's package",
        where=str(path),
        remedy="Give the folder of a run of `cranial train`, or of `cranial package-generator`.",
    )


def package_generator(
    run: Path, folder: Path, *, name: str, version: str, description: str, licence: str, data: str
) -> GeneratorManifest:
    """Write a run's generator as a package, whole or not at all; a package that stood there is replaced.

    Raises:
        UserError: not a run of a generator, or ``folder`` holds something else or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _is_package(folder))):
        raise UserError(
            "there is something that is not a generator's package", where=str(folder), remedy="Choose a new folder."
        )
    method, settings = run_configuration(run)
    generator = load_generator(run)
    weights = {key: tensor.clone().contiguous() for key, tensor in generator.state_dict().items()}
    stray = next((key for key, tensor in weights.items() if not torch.isfinite(tensor).all()), None)
    if stray is not None:
        raise UserError(f"the weights {stray} are not finite", where=str(run), remedy="Train the run again.")
    with staged_folder(folder) as fresh:
        (fresh / WEIGHTS_FILE).write_bytes(save(weights))
        manifest = GeneratorManifest(
            name=name,
            version=version,
            description=description,
            licence=licence,
            data=data,
            method=method,
            settings=settings,
            batches=int(generator.batches),
            sha256=sha256_of(fresh / WEIGHTS_FILE),
        )
        content = {"schema": SCHEMA, "kind": KIND, **asdict(manifest)}
        (fresh / MANIFEST_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def read_generator_manifest(folder: Path) -> GeneratorManifest:
    """The manifest of a package; the weights are not looked at.

    Raises:
        UserError: there is none, or it is not a generator's, or not what this version reads.
    """
    path = folder / MANIFEST_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"the package has no readable manifest ({error})", where=str(path), remedy=REMEDY) from error
    top = JsonSection(values, str(path), REMEDY)
    if values.get("kind") != KIND:
        raise UserError(
            "this is not a generator's package", where=str(folder), remedy="Give one of `cranial package-generator`."
        )
    if (schema := top.whole("schema")) > SCHEMA:
        raise UserError(
            f"the package has schema {schema} and this version reads up to {SCHEMA}",
            where=str(path),
            remedy="Update the extension, or take an older version of the package.",
        )
    return GeneratorManifest(
        name=top.text("name"),
        version=top.text("version"),
        description=top.text("description"),
        licence=top.text("licence"),
        data=top.text("data"),
        method=top.text("method"),
        settings=top.section("settings").mapping(),
        batches=top.whole("batches"),
        sha256=top.text("sha256"),
    )


def _is_package(folder: Path) -> bool:
    return (folder / MANIFEST_FILE).is_file() and (folder / WEIGHTS_FILE).is_file()
