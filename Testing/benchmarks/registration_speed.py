"""Seconds that a pair of heads takes to register, beside SimpleITK's B-spline and demons at equal similarity.

    python Testing/benchmarks/registration_speed.py MOVING FIXED [--spacing 2] [--alpha 12500] [--threads 1]

MOVING and FIXED are masks of whole skulls; at 2 mm they are resampled to 128^3. Ours runs its preset to
the end. Demons, after an affine stage, stop as soon as their mean squared difference is as low, or after five
times our seconds; the B-spline, which cannot be stopped, after its iterations, of which there are so few
that it ends: what both have reached by then is in the table. All have
the same number of threads; seconds are those of the processors. Last, masks a second on MOVING.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from rich.console import Console
from rich.table import Table

from CranialAugmentationTrainerLib.augmentation.canonical_head import canonical_shares
from CranialAugmentationTrainerLib.augmentation.case import case_of
from CranialAugmentationTrainerLib.augmentation.cut import RandomCut
from CranialAugmentationTrainerLib.augmentation.deformable_masking import MASKING_PRESETS
from CranialAugmentationTrainerLib.augmentation.registration import folding_fraction, register
from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.augmentation.warp import Warp
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

LEVELS = (8, 4, 2, 1)
DEMONS_ITERATIONS = (50, 50, 50, 1000)
DEMONS_SIGMA = 1.0
# Mesh of the B-spline's coarsest level along each axis, and how much finer each level's is. ITK's metric
# takes time by samples times control points: finer meshes and more samples take many minutes.
KNOTS = 4
BSPLINE_REFINEMENT = [1, 2, 2, 4]
BSPLINE_ITERATIONS = 20
BSPLINE_SAMPLES = 0.01
# Demons are given up after this many times our seconds.
PATIENCE = 5.0
MASKS = 50


@dataclass(frozen=True)
class Registered:
    """What one method reached: processor seconds, mean squared difference, share of folded voxels."""

    name: str
    seconds: float
    mismatch: float
    folded: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moving", type=Path)
    parser.add_argument("fixed", type=Path)
    parser.add_argument("--spacing", type=float, default=2.0)
    parser.add_argument("--alpha", type=float, default=12500.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="of ours; on a GPU its seconds are the clock's")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
    moving, fixed = (head_shares(path, options.spacing) for path in (options.moving, options.fixed))

    schedule = RegistrationSchedule(options.alpha, LEVELS)
    runs = [ours(moving, fixed, schedule, options.device)]
    for name, method in (("SimpleITK demons", demons), ("SimpleITK B-spline", bspline)):
        print(f"{runs[-1].name}: {runs[-1].seconds:.1f} s, {runs[-1].mismatch:.5f}; now {name}", file=sys.stderr)
        runs.append(beside(name, method, moving, fixed, runs[0]))

    before = float((moving - fixed).square().mean())
    edge = moving.shape[0]
    table = Table(title=f"{edge}^3, {options.threads} threads, mean squared difference {before:.5f} before")
    for heading in ("", "s", "beside ours", "mean squared difference", "folded, ppm"):
        table.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        ratio = f"{run.seconds / runs[0].seconds:.2f}"
        table.add_row(run.name, f"{run.seconds:.1f}", ratio, f"{run.mismatch:.5f}", f"{1e6 * run.folded:.0f}")
    Console(width=110).print(table)
    print(f"{masks_a_second(moving, options.spacing):.2f} masks a second")
    return 0


def head_shares(path: Path, spacing: float) -> torch.Tensor:
    """A whole skull (K, J, I) on the papers' box, shares of bone."""
    case = SkullCase(path.stem, path.stem, complete=path)
    return torch.from_numpy(canonical_shares(case, PAPER_BOX, spacing)[0]).to(torch.float32) / 255.0


def ours(moving: torch.Tensor, fixed: torch.Tensor, schedule: RegistrationSchedule, device: str) -> Registered:
    """The affine stage and all levels."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    here, there = moving.to(device), fixed.to(device)
    if device != "cpu":
        # The first call on a device builds its kernels.
        register(here, there, RegistrationSchedule(iterations=1, affine_iterations=1))
    since = clock()
    displacement = register(here, there, schedule).cpu()
    seconds = clock() - since
    warped = Warp(displacement).apply({"complete": moving[None]})["complete"][0]
    mismatch = float((warped - fixed).square().mean())
    return Registered(f"ours, alpha {schedule.alpha:.0f}", seconds, mismatch, folding_fraction(displacement))


# Whether a mean squared difference is enough, or time is up.
Enough = Callable[[float], bool]
Method = Callable[[sitk.Image, sitk.Image, sitk.Transform, Enough], sitk.Transform]


def beside(name: str, method: Method, moving: torch.Tensor, fixed: torch.Tensor, first: Registered) -> Registered:
    """A method of SimpleITK after an affine stage, until it is where ``first`` came to or time is up."""
    image, aim = (sitk.GetImageFromArray(shares.numpy()) for shares in (moving, fixed))
    since = time.process_time()

    def enough(mismatch: float) -> bool:
        return mismatch <= first.mismatch or time.process_time() - since > PATIENCE * first.seconds

    transform = method(image, aim, affine(image, aim), enough)
    seconds = time.process_time() - since
    warped = sitk.GetArrayFromImage(sitk.Resample(image, aim, transform))
    mismatch = float(np.square(warped - fixed.numpy()).mean())
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, aim.GetSize(), aim.GetOrigin(), aim.GetSpacing(), aim.GetDirection()
    )
    folded = float((sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field)) < 0.0).mean())
    return Registered(name, seconds, mismatch, folded)


def affine(moving: sitk.Image, fixed: sitk.Image) -> sitk.Transform:
    """The affine stage that SimpleITK's methods start from, at an eighth and a quarter of the resolution."""
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    search = sitk.ImageRegistrationMethod()
    search.SetMetricAsMeanSquares()
    search.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60)
    search.SetOptimizerScalesFromPhysicalShift()
    search.SetShrinkFactorsPerLevel([8, 4])
    search.SetSmoothingSigmasPerLevel([2.0, 1.0])
    search.SetInitialTransform(start, inPlace=False)
    search.SetInterpolator(sitk.sitkLinear)
    return search.Execute(fixed, moving)


def demons(moving: sitk.Image, fixed: sitk.Image, start: sitk.Transform, enough: Enough) -> sitk.Transform:
    """Symmetric-forces demons over the same levels."""
    turned = sitk.Resample(moving, fixed, start)
    field = None
    for level, iterations in zip(LEVELS, DEMONS_ITERATIONS, strict=True):
        image, aim = (sitk.BinShrink(full, [level] * 3) if level > 1 else full for full in (turned, fixed))
        search = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        search.SetNumberOfIterations(iterations)
        search.SetStandardDeviations(DEMONS_SIGMA)
        search.SetSmoothDisplacementField(True)
        if level == 1:

            def stop_when_reached(search: sitk.FastSymmetricForcesDemonsRegistrationFilter = search) -> None:
                if enough(search.GetMetric()):
                    search.StopRegistration()

            search.AddCommand(sitk.sitkIterationEvent, stop_when_reached)
        if field is None:
            field = search.Execute(aim, image)
        else:
            field = search.Execute(aim, image, sitk.Resample(field, aim, sitk.Transform(), sitk.sitkLinear))
    return sitk.CompositeTransform([start, sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))])


def bspline(moving: sitk.Image, fixed: sitk.Image, start: sitk.Transform, _: Enough) -> sitk.Transform:
    """Free-form deformation whose control points are refined with the levels."""
    turned = sitk.Resample(moving, fixed, start)
    spline = sitk.BSplineTransformInitializer(fixed, [KNOTS] * 3, order=3)
    search = sitk.ImageRegistrationMethod()
    search.SetMetricAsMeanSquares()
    search.SetMetricSamplingStrategy(search.REGULAR)
    search.SetMetricSamplingPercentage(BSPLINE_SAMPLES)
    search.SetOptimizerAsLBFGS2(1e-7, numberOfIterations=BSPLINE_ITERATIONS, lineSearchMaximumEvaluations=10)
    search.SetShrinkFactorsPerLevel(LEVELS)
    search.SetSmoothingSigmasPerLevel([level / 4.0 if level > 1 else 0.0 for level in LEVELS])
    search.SetInitialTransformAsBSpline(spline, inPlace=True, scaleFactors=BSPLINE_REFINEMENT)
    search.SetInterpolator(sitk.sitkLinear)
    return sitk.CompositeTransform([start, search.Execute(fixed, turned)])


def masks_a_second(complete: torch.Tensor, spacing: float) -> float:
    """Cuts drawn and made, of the seconds of the processors."""
    cutting = RandomCut(MASKING_PRESETS["mixed"], HeadFrame(PAPER_BOX), spacing)
    case = case_of(complete[None], torch.zeros_like(complete)[None])
    cutting.set_random_state(seed=0)
    since = time.process_time()
    for _ in range(MASKS):
        cutting(case)
    return MASKS / (time.process_time() - since)


if __name__ == "__main__":
    raise SystemExit(main())
