"""Model packages with their weights: safetensors beside a manifest, nothing ever unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.manifest import (
    MANIFEST_FILE,
    REMEDY,
    SHAPE_FILE,
    ModelManifest,
    NetworkEntry,
    read_manifest,
    verify_file,
    verify_weights,
    write_manifest,
)
from CranialReconstructionLib.reconstruction.networks import build_network, full_arguments
from CranialReconstructionLib.reconstruction.shape_model import ShapeModel
from CranialReconstructionLib.reconstruction.staged_folder import staged_folder

Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class ModelPackage:
    """A verified package.

    Attributes:
        manifest: what it says of itself.
        folder: where it lies.
        networks: by pass; in evaluation mode, float32, on the CPU.
        shape: what vaults look like, for a shell pass.
    """

    manifest: ModelManifest
    folder: Path
    networks: Mapping[str, torch.nn.Module]
    shape: ShapeModel | None = None

    def network(self, name: str) -> torch.nn.Module:
        """The network of pass ``name``; ``KeyError`` where the package has no such pass."""
        return self.networks[name]


def load_package(folder: Path) -> ModelPackage:
    """The package in ``folder``: manifest read, hashes compared, networks built and filled.

    Raises:
        UserError: anything about the package is off; the reason and the place are named.
    """
    manifest = read_manifest(folder)
    networks = {name: _load_network(folder, entry) for name, entry in manifest.networks.items()}
    return ModelPackage(manifest, folder, networks, _load_shape(folder, manifest))


def write_package(
    folder: Path,
    manifest: ModelManifest,
    weights: Mapping[str, Weights],
    shape: Weights | None = None,
    half: bool = True,
) -> ModelManifest:
    """Write a package into ``folder``, whole or not at all; a package that stood there is replaced.

    Args:
        folder: becomes the package.
        manifest: its networks' ``weights`` and ``sha256`` are filled in here, and their arguments completed.
        weights: state dictionary of each network of the manifest.
        shape: tensors of the shape model of a shell pass.
        half: store floating-point tensors in half precision, but for a tensor that would overflow.

    Returns:
        The manifest as written.

    Raises:
        UserError: ``folder`` holds something that is not a package, cannot be written to, or the
            manifest would be refused by a reader.
    """
    if set(weights) != set(manifest.networks):
        raise ValueError(f"weights for {sorted(weights)} where the manifest has {sorted(manifest.networks)}")
    if folder.exists() and not (folder / MANIFEST_FILE).is_file() and any(folder.iterdir()):
        raise UserError(
            "the folder holds something that is not a model package",
            where=str(folder),
            remedy="Choose a new folder.",
        )
    with staged_folder(folder) as fresh:
        entries = {}
        for name, entry in manifest.networks.items():
            file = fresh / f"{name}.safetensors"
            file.write_bytes(save({key: _stored(tensor, half) for key, tensor in weights[name].items()}))
            entries[name] = replace(
                entry,
                arguments=full_arguments(entry.architecture, entry.arguments),
                weights=file.name,
                sha256=sha256_of(file),
            )
        digest = ""
        if shape is not None:
            file = fresh / SHAPE_FILE
            file.write_bytes(save({key: _stored(tensor, half) for key, tensor in shape.items()}))
            digest = sha256_of(file)
        complete = replace(manifest, networks=entries, shape_sha256=digest)
        write_manifest(complete, fresh)
    return complete


def _stored(tensor: torch.Tensor, half: bool) -> torch.Tensor:
    """An own, contiguous copy on the CPU, in half precision where that holds every value."""
    copy = tensor.detach().to("cpu", copy=True).contiguous()
    if not half or not copy.is_floating_point():
        return copy
    halved = copy.to(torch.float16)
    return halved if torch.isfinite(halved).equal(torch.isfinite(copy)) else copy


def _load_network(folder: Path, entry: NetworkEntry) -> torch.nn.Module:
    path = verify_weights(folder, entry)
    network = build_network(entry.architecture, entry.arguments)
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UserError(f"this is not a safetensors file ({error})", where=str(path), remedy=REMEDY) from error
    misfit = _misfit(network.state_dict(), weights)
    if misfit is not None:
        raise UserError(
            f"the weights do not fit the architecture {entry.architecture} ({misfit})",
            where=str(path),
            remedy=REMEDY,
        )
    network.load_state_dict(weights)
    return network.eval()


def _load_shape(folder: Path, manifest: ModelManifest) -> ShapeModel | None:
    if not manifest.shape_sha256:
        return None
    path = verify_file(folder, SHAPE_FILE, manifest.shape_sha256)
    try:
        return ShapeModel.from_tensors(load_file(path))
    except (SafetensorError, KeyError) as error:
        raise UserError(f"this is not a shape model ({error})", where=str(path), remedy=REMEDY) from error


def _misfit(expected: Weights, found: Weights) -> str | None:
    """The first tensor that is missing, of another shape, not finite or not asked for."""
    for key, tensor in expected.items():
        if key not in found:
            return f"{key} is missing"
        if found[key].shape != tensor.shape:
            return f"{key} has shape {tuple(found[key].shape)} where {tuple(tensor.shape)} is needed"
        if not torch.isfinite(found[key]).all():
            return f"{key} holds values that are not finite"
    extra = next((key for key in found if key not in expected), None)
    return None if extra is None else f"{extra} has no place in it"
