"""Latents of cases on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from CranialAugmentationTrainerLib.datasets.case_grid import read_case
from CranialAugmentationTrainerLib.datasets.named_case import named_case
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet, SkullCase
from CranialAugmentationTrainerLib.sampling.sampler import LatentSampler
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
from CranialAugmentationTrainerLib.synthesis.source import CaseGenerator, device_of, side_of
from CranialReconstructionLib.errors import UserError

BATCH = 8


@dataclass(frozen=True, eq=False)
class EncodedSet:
    """The latents of a data set.

    Attributes:
        source: what the set is called in pictures.
        names: of the cases (N).
        latents: (N, D), volumetric ones flattened.
        broken: cases that could not be read, and why.
    """

    source: str
    names: tuple[str, ...]
    latents: npt.NDArray[np.float32]
    broken: tuple[BrokenCase, ...] = ()


def encode_set(
    generator: CaseGenerator,
    data: DataSet,
    source: str,
    most: int | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> EncodedSet:
    """Encode a data set, a batch at a time.

    Args:
        source: a name for it.
        most: takes this many cases, evenly from the whole set; None takes all.
        report: is told of cases done, and of how many.

    Raises:
        UserError: the method has no encoder, or no case can be read.
    """
    cases = evenly(data.usable().cases, most)
    side = side_of(generator)
    names, latents, broken = [], [], list(data.broken)
    waiting = iter(cases)
    while group := list(islice(waiting, BATCH)):
        whole = []
        for case in group:
            try:
                whole.append((case.name, read_case(case, side)))
            except UserError as error:
                broken.append(BrokenCase(case.name, case.masks[0], error.problem))
        if whole:
            names += [name for name, _ in whole]
            latents.append(_encoded(generator, np.stack([shares for _, shares in whole])))
        report(len(names) + len(broken) - len(data.broken), len(cases))
    if not names:
        raise UserError("no case could be read", where=str(data.folder), remedy="Look at its files.")
    return EncodedSet(source, tuple(names), np.concatenate(latents), tuple(broken))


def latent_of(end: str, generator: CaseGenerator) -> torch.Tensor:
    """The latent (*latent_shape), on the CPU, that a user names.

    Args:
        end: a seed, whose first standard normal draw it is, or a case as ``named_case`` takes it.

    Raises:
        UserError: it is none of these, or the method has no encoder.
    """
    if end.isdecimal():
        return LatentSampler(SamplingSettings("sd", int(end)), generator.latent_shape).latent(0)
    encoded = _encoded(generator, read_case(named_case(end), side_of(generator))[None])
    return torch.from_numpy(encoded).reshape(generator.latent_shape)


def evenly(cases: Sequence[SkullCase], most: int | None) -> Sequence[SkullCase]:
    """At most ``most`` cases, evenly from the first to the last."""
    if most is None or len(cases) <= most:
        return cases
    return [cases[place] for place in np.linspace(0, len(cases) - 1, most).round().astype(int)]


def _encoded(generator: CaseGenerator, cases: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Latents (B, D) of cases (B, 2, K, J, I)."""
    with torch.inference_mode():
        latents = generator.encode(torch.from_numpy(cases).to(device_of(generator)))
    return np.asarray(latents.float().flatten(1).cpu().numpy())
