"""What a run learns from and is looked at with: heads, warps between them, and cases drawn from both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.registration import register
from CranialAugmentationTrainerLib.datasets.paired_skulls import find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split, split_by_skull
from CranialAugmentationTrainerLib.training.cases import CaseMixture, WarpTowards
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings
from CranialAugmentationTrainerLib.training.head_cache import CachedHead, cache_heads
from CranialAugmentationTrainerLib.training.kept_array import kept_array
from CranialAugmentationTrainerLib.training.reconstruction_data import Item, ReconstructionCases
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.shell_data import ShellCases
from CranialAugmentationTrainerLib.training.vault_pool import (
    POSE_ERROR,
    UnrolledHead,
    align_heads,
    unroll_head,
    vault_pool,
)
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES
from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.shape_model import ShapeModel, fit_shape_model
from CranialReconstructionLib.reconstruction.vault_map import VaultMap

VALIDATION_SEED = 1_000_003


@dataclass(frozen=True)
class Material:
    """Cases of a run.

    Attributes:
        training: cases by their number in the run.
        validation: fixed cases of validation heads, as they lie: upright and their own size.
    """

    training: Dataset[Item]
    validation: Dataset[Item]


def gather_material(settings: ReconstructionSettings, data: Path, run: RunFolder, cache: Path) -> Material:
    """Read, resample and register what the run needs, or take it from ``cache``; draw its split once."""
    cases = find_paired_skulls(data)
    if not run.split.exists():
        drawn = settings.split
        split_by_skull(
            (case.skull for case in cases), drawn.seed, drawn.validation, drawn.test, drawn.same_person
        ).write(run.split)
    split = Split.read(run.split)

    def heads_of(skulls: Sequence[str]) -> list[CachedHead]:
        chosen = [case for case in cases if case.skull in skulls]
        run.log("reading", cases=len(chosen))
        return cache_heads(chosen, cache, HEAD_BOXES[settings.box], settings.fine_spacing)

    heads, held = heads_of(split.train), heads_of(split.validation)
    warps = registered_pairs(settings, heads, cache, run)
    still = replace(settings.mixture, spatial=None, towards=0.0)
    if settings.stage == "shell":
        return _shell_material(settings, heads, held, warps, still, cache, run)
    count = settings.steps * settings.batch * settings.devices
    return Material(
        ReconstructionCases(settings, heads, warps, settings.seed, 0, count),
        ReconstructionCases(replace(settings, mixture=still), held, [], VALIDATION_SEED, 0, settings.validation_cases),
    )


def registered_pairs(
    settings: ReconstructionSettings, heads: Sequence[CachedHead], cache: Path, run: RunFolder
) -> list[WarpTowards]:
    """Registered pairs of heads, drawn without repeats; kept in ``cache``."""
    size = torch.tensor(HEAD_BOXES[settings.box].size)[:, None, None, None]
    pairs = [(a, b) for a in range(len(heads)) for b in range(len(heads)) if a != b]
    drawn = np.random.default_rng(settings.seed).permutation(len(pairs))[: settings.warps]
    warps = []
    for done, index in enumerate(sorted(drawn)):
        moving, fixed = pairs[index]
        name = f"towards-{heads[moving].name}-{heads[fixed].name}-{settings.fine_spacing:g}mm.npy"
        path = cache / name.replace("/", "_")

        def displacement(one: int = moving, other: int = fixed) -> np.ndarray:
            images = [_small(heads[which].complete) for which in (one, other)]
            millimetres = register(images[0], images[1], settings.registration) * (size / 2.0)
            return millimetres.numpy().astype(np.float16)

        warps.append(WarpTowards(moving, torch.from_numpy(kept_array(path, displacement).astype(np.float32))))
        if done % 50 == 49:
            run.log("registered", pairs=done + 1, of=len(drawn))
    return warps


def _shell_material(
    settings: ReconstructionSettings,
    heads: Sequence[CachedHead],
    held: Sequence[CachedHead],
    warps: Sequence[WarpTowards],
    still: CaseMixture,
    cache: Path,
    run: RunFolder,
) -> Material:
    frame, vault = HeadFrame(HEAD_BOXES[settings.box]), VaultMap()
    reference = _reference(run, heads, frame)

    def draw(number: int) -> UnrolledHead:
        return unroll_head(settings.mixture, heads, warps, frame, vault, reference, settings.seed * 1_000_003 + number)

    def report(done: int, of: int) -> None:
        if done % 100 == 0:
            run.log("unrolled", heads=done, of=of)

    # What a pool is made of stands in its name, so that a changed mixture never meets an old pool.
    spatial = settings.mixture.spatial and asdict(settings.mixture.spatial)
    names = [head.name for head in heads]
    recipe = json.dumps(
        [spatial, settings.mixture.towards, settings.seed, settings.warps, names, asdict(vault), POSE_ERROR]
    )
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    pool = vault_pool(settings.pool, draw, cache / f"vaults-{digest}", report)
    shape = _shape_model(run, pool, vault, settings.modes, reference)
    upright = [unroll_head(still, [head], [], frame, vault, reference, 0) for head in held]
    count = settings.steps * settings.batch * settings.devices
    return Material(
        ShellCases(settings.mixture, pool, frame, vault, shape, settings.seed, 0, count),
        ShellCases(still, upright, frame, vault, shape, VALIDATION_SEED, 0, settings.validation_cases),
    )


def _reference(run: RunFolder, heads: Sequence[CachedHead], frame: HeadFrame) -> torch.Tensor:
    """The reference onto which heads are turned, from the run's shape model if it has one."""
    if run.shape_model.exists():
        return ShapeModel.from_tensors(load_file(run.shape_model)).reference
    run.log("aligning", heads=len(heads))
    return align_heads(heads, frame)


def _shape_model(
    run: RunFolder, pool: Sequence[UnrolledHead], vault: VaultMap, modes: int, reference: torch.Tensor
) -> ShapeModel:
    """The shape model of the pool's whole vaults, fitted once a run."""
    if not run.shape_model.exists():
        fitted = fit_shape_model([head.complete for head in pool], vault, modes, reference)
        with whole_file(run.shape_model) as part:
            save_file(fitted.tensors(), part)
    return ShapeModel.from_tensors(load_file(run.shape_model))


def _small(complete: torch.Tensor) -> torch.Tensor:
    """A head at four times its voxel edge, which is enough for a smooth warp."""
    shares = complete.to(torch.float32)[None, None] / 255.0
    return functional.avg_pool3d(shares, 4)[0, 0]
