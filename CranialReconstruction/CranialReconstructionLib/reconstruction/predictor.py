"""From a skull mask to its missing bone: a pass over the whole head, then, in some models, one where the defect is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES, HeadPlacement, place_head
from CranialReconstructionLib.imaging.orientation import along_patient
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.continuation import ContinuedTables, batched, continue_tables
from CranialReconstructionLib.reconstruction.coverage import case_statistics, coverage_warnings
from CranialReconstructionLib.reconstruction.devices import (
    autocast,
    available_memory,
    estimate_memory,
    largest_window,
)
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.head_pose import UPRIGHT, find_pose
from CranialReconstructionLib.reconstruction.manifest import FIRST_PASSES
from CranialReconstructionLib.reconstruction.model_package import ModelPackage
from CranialReconstructionLib.reconstruction.networks import minimum_multiple, probe_multiple
from CranialReconstructionLib.reconstruction.passes import (
    COARSENING,
    FINE_CHANNELS,
    coarse_input,
    coarsened,
    fine_input,
)
from CranialReconstructionLib.reconstruction.postprocessing import PostProcessing, cut_defect
from CranialReconstructionLib.reconstruction.shell_pass import (
    ShellAnswer,
    averaged_answer,
    missing_share,
    shell_answer,
    shell_input,
)
from CranialReconstructionLib.reconstruction.vault_map import VaultMap, unroll
from CranialReconstructionLib.reconstruction.windows import Corner, blend, window_corners

# Share of the free memory that a plan may take; the rest is for whatever else comes.
MEMORY_SHARE = 0.8

Report = Callable[[str], None]


@dataclass(frozen=True)
class Reconstruction:
    """The missing bone of one skull.

    Attributes:
        defect: uint8 0 or 1 on the skull's own grid.
        confidence: float32, probability of missing bone, 0 to 1, on the same grid.
        warnings: sentences for the user.
        statistics: of the case, as ``case_statistics`` names them.
        plan: window of the fine pass in voxels (K, J, I) and number of windows, for the report.
        seconds: time of each stage.
    """

    defect: Volume
    confidence: Volume
    warnings: tuple[str, ...]
    statistics: dict[str, float]
    plan: dict[str, object]
    seconds: dict[str, float]


class StageClock:
    """Seconds of each stage, told to whoever waits."""

    def __init__(self, report: Report = lambda stage: None) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report
        self._name = ""
        self._since = 0.0

    def stage(self, name: str) -> None:
        """End the stage before and begin ``name``."""
        self.stop()
        self._report(name)
        self._name, self._since = name, time.perf_counter()

    def stop(self) -> None:
        """End the last stage."""
        if self._name:
            self.seconds[self._name] = round(time.perf_counter() - self._since, 3)
            self._name = ""


@dataclass(frozen=True)
class Looked:
    """What the networks saw in one skull.

    Attributes:
        placement: where the head lies.
        present: share of bone, 0 to 1, on the fine head grid.
        missing: share of missing bone on the same grid, half at its surface.
        probable: probability of missing bone on the same grid.
        plan: window of the fine pass in voxels (K, J, I) and number of windows.
    """

    placement: HeadPlacement
    present: Volume
    missing: Volume
    probable: Volume
    plan: dict[str, object]


class Predictor:
    """A model package on a device, ready for one skull after another.

    Args:
        package: verified, as ``load_package`` gives it.
        device: as ``choose_device`` gives it.
        memory: bytes that a plan may take; four fifths of what is free without it.
    """

    def __init__(self, package: ModelPackage, device: torch.device, memory: int | None = None) -> None:
        self.package = package
        self.device = device
        self.memory = memory
        self.constants = PostProcessing.from_manifest(
            package.manifest.post_processing, str(package.folder / "manifest.json")
        )
        name = package.manifest.head_grid.name
        if name not in HEAD_BOXES:
            raise UserError(
                f"the head grid {name!r} is unknown",
                where=str(package.folder / "manifest.json"),
                remedy=f"This version knows {', '.join(HEAD_BOXES)}; update the extension.",
            )
        self.box = HEAD_BOXES[name]
        entries = package.manifest.networks
        first = next(entries[pass_] for pass_ in FIRST_PASSES if pass_ in entries)
        self.fine_spacing = first.spacing_mm / COARSENING if "coarse" in entries else first.spacing_mm
        self.frame = HeadFrame(self.box)
        self.vault = VaultMap()
        self.networks = {pass_: network.to(device) for pass_, network in package.networks.items()}

    def reconstruct(self, skull: Volume, report: Report = lambda stage: None) -> Reconstruction:
        """The missing bone of ``skull`` (mask, bone above zero, any grid).

        Args:
            report: is told the name of each stage as it begins.

        Raises:
            UserError: the mask is empty, or no plan fits the memory.
        """
        clock = StageClock(report)
        axes = along_patient(skull.grid)
        given, skull = skull, axes.applied(skull)
        looked = self.look(skull, clock)
        clock.stage("post-processing")
        defect, confidence = cut_defect(skull, looked.present, looked.missing, looked.probable, self.constants)
        clock.stage("checks")
        statistics = case_statistics(looked.placement, looked.present, looked.probable.voxels)
        if not defect.voxels.any():
            statistics = {k: v for k, v in statistics.items() if k not in ("defect_ml", "doubt")}
        warnings = coverage_warnings(statistics, self.package.manifest.coverage)
        clock.stop()
        defect, confidence = (given.with_voxels(axes.undone(found.voxels)) for found in (defect, confidence))
        return Reconstruction(defect, confidence, warnings, statistics, looked.plan, clock.seconds)

    def look(self, skull: Volume, clock: StageClock | None = None) -> Looked:
        """What both passes see in ``skull``, on the fine head grid, before anything is cut from it."""
        clock = clock or StageClock()
        clock.stage("place head")
        placement = place_head(skull)
        clock.stage("head grid")
        present = occupancy(skull, self.box.grid(placement.centre, self.fine_spacing))
        shares = torch.from_numpy(present.voxels)[None, None]
        plan: dict[str, object] = {}
        if "shell" in self.networks:
            clock.stage("shell pass")
            missing, probable = self._shell(shares)
        elif "head" in self.networks:
            clock.stage("head pass")
            missing = probable = self.ask_head(shares)
        else:
            clock.stage("coarse pass")
            missing = probable = self._coarse(shares)
        if "fine" in self.networks:
            clock.stage("fine pass")
            missing, plan = self._fine(shares, missing)
            probable = missing
        return Looked(
            placement,
            present,
            present.with_voxels(missing[0, 0].numpy()),
            present.with_voxels(probable[0, 0].numpy()),
            plan,
        )

    def _shell(self, shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Share of missing bone and its probability, both (1, 1, K, J, I), from the unrolled vault."""
        shape = self.package.shape
        pose = find_pose(shares[0, 0], self.frame, shape.reference) if shape else UPRIGHT
        unrolled = unroll(shares[0, 0], self.frame, self.vault, pose.to_box(self.vault.rays()))
        answer = self.ask_shell(batched(continue_tables(unrolled, self.vault, shape)))
        missing, probable = missing_share(answer, self.frame, self.vault, self.fine_spacing, pose)
        return torch.minimum(missing, 1.0 - shares[0, 0])[None, None], probable[None, None]

    def ask_shell(self, tables: ContinuedTables) -> ShellAnswer:
        """What the shell network says of continued tables (1, V, U).

        The mean over the head and its mirror image, which is steadier than either.
        """
        seen = shell_input(tables)
        first, mirrored = (
            shell_answer(image, self._run(self.networks["shell"], image)) for image in (seen, seen.flip(-1))
        )
        return averaged_answer(first, mirrored)

    def ask_head(self, shares: torch.Tensor) -> torch.Tensor:
        """Probability of missing bone (1, 1, K, J, I) that a single network gives, on the grid that it has seen."""
        self._check_memory("head", shares)
        return torch.sigmoid(self._run(self.networks["head"], shares))

    def _coarse(self, shares: torch.Tensor) -> torch.Tensor:
        """Probability of missing bone on the fine grid (1, 1, K, J, I), from the whole head."""
        skull = coarsened(shares)
        network = self.networks["coarse"]
        seen = coarse_input(skull)
        self._check_memory("coarse", seen)
        both = [
            torch.sigmoid(self._run(network, seen)),
            torch.sigmoid(self._run(network, coarse_input(skull.flip(-1)))).flip(-1),
        ]
        return functional.interpolate(
            (both[0] + both[1]) / 2.0, scale_factor=COARSENING, mode="trilinear", align_corners=False
        )

    def _fine(self, shares: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, dict[str, object]]:
        """Probability of missing bone (1, 1, K, J, I) on the fine grid, and the plan that gave it."""
        region = self._region(there[0, 0])
        k, j, i = there.shape[2:]
        shape: Corner = (k, j, i)
        if region is None:
            return torch.zeros_like(there), {"windows": 0}
        entry = self.package.manifest.networks["fine"]
        window = largest_window(
            self.networks["fine"],
            entry.window_voxels,
            minimum_multiple(entry.architecture, entry.arguments),
            self._budget(),
            self.device,
            channels=len(FINE_CHANNELS),
        )
        corners = sorted(set(window_corners(*region, window, shape)))

        def look(corner: Corner) -> torch.Tensor:
            k, j, i = (slice(a, a + edge) for a, edge in zip(corner, window, strict=True))
            seen = fine_input(shares[..., k, j, i], there[..., k, j, i])
            return torch.sigmoid(self._run(self.networks["fine"], seen))[0, 0]

        blended = blend(look, corners, window, shape)
        return blended[None, None], {"window": list(window), "windows": len(corners)}

    def _region(self, probability: torch.Tensor) -> tuple[Corner, Corner] | None:
        """The voxels, from and up to, around which bone may be missing."""
        places = np.argwhere(probability.numpy() > self.constants.candidate_probability)
        if len(places) == 0:
            return None
        margin = round(self.constants.window_margin_mm / self.fine_spacing)
        low = np.maximum(places.min(0) - margin, 0)
        high = np.minimum(places.max(0) + 1 + margin, probability.shape)
        return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))

    def _check_memory(self, pass_: str, seen: torch.Tensor) -> None:
        entry = self.package.manifest.networks[pass_]
        multiple = probe_multiple(entry.architecture, entry.arguments)
        needed = estimate_memory(self.networks[pass_], tuple(seen.shape), self.device, multiple)
        if needed > self._budget():
            raise UserError(
                f"the pass over the head needs {needed / 1e9:.1f} GB and {self._budget() / 1e9:.1f} GB are free",
                where=f"memory of device {self.device.type}",
                remedy="Close other programs, or choose another device.",
            )

    def _run(self, network: torch.nn.Module, seen: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), autocast(self.device):
            said: torch.Tensor = network(seen.to(self.device)).float().cpu()
            return said

    def _budget(self) -> int:
        return int(MEMORY_SHARE * available_memory(self.device)) if self.memory is None else self.memory
