"""What the worker does when it is asked, and the model that it keeps warm between two requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, cast

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.engine.arguments import (
    DEVICES,
    Arguments,
    Compare,
    Estimate,
    InstallModel,
    MakeImplant,
    Models,
    PreviewImplant,
    Reconstruct,
    SegmentSkull,
    SelfTest,
    parse_arguments,
)
from CranialReconstructionLib.engine.comparison import compare
from CranialReconstructionLib.engine.implanting import make_implant
from CranialReconstructionLib.engine.memory_plan import main_memory_plan, network_plan
from CranialReconstructionLib.engine.previewing import Previewing
from CranialReconstructionLib.engine.records import to_json
from CranialReconstructionLib.engine.worker import Operation, Report
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume
    from CranialReconstructionLib.reconstruction.predictor import Predictor

A = TypeVar("A", bound=Arguments)

# Largest difference between a device and the CPU that rounding explains, for values of about one.
ROUNDING = 1e-2


class Operations:
    """The operations of one worker, which share its warm model and what it keeps for previews."""

    def __init__(self) -> None:
        self._predictor: Predictor | None = None
        self._loaded = ""
        self._previewing = Previewing()

    def table(self) -> Mapping[str, Operation]:
        """Every operation by its name."""
        return dict(
            [
                _entry(SelfTest, self.self_test),
                _entry(Estimate, self.estimate),
                _entry(Models, self.models),
                _entry(InstallModel, install_model),
                _entry(SegmentSkull, self.segment_skull),
                _entry(Reconstruct, self.reconstruct),
                _entry(Compare, compare),
                _entry(PreviewImplant, self._previewing.preview),
                _entry(MakeImplant, make_implant),
            ]
        )

    def self_test(self, arguments: SelfTest, report: Report) -> Mapping[str, Any]:
        """Which devices work, and a small network on the one chosen, compared with the CPU.

        Raises:
            UserError: the device does not work, or computes something else than the CPU.
        """
        report("load torch")
        _import_torch()
        import torch

        from CranialReconstructionLib.reconstruction.devices import available_memory, choose_device
        from CranialReconstructionLib.reconstruction.networks import build_network

        devices = []
        for name in DEVICES[1:]:
            try:
                free = available_memory(choose_device(name))
                devices.append({"name": name, "works": True, "free": free, "problem": ""})
            except UserError as error:
                devices.append({"name": name, "works": False, "free": None, "problem": error.problem})
        device = choose_device(arguments.device)
        report("run a small network")
        network = build_network("residual_unet", {"channels": (8, 16), "strides": (2,)}).eval()
        seen = torch.linspace(-1.0, 1.0, 16**3).reshape(1, 1, 16, 16, 16)
        with torch.inference_mode():
            expected = network(seen)
            network = network.to(device)
            since = time.perf_counter()
            found = network(seen.to(device)).cpu()
            seconds = time.perf_counter() - since
        difference = float((found - expected).abs().max())
        if not difference <= ROUNDING:
            raise UserError(
                f"{device.type.upper()} computes something else than the CPU (by {difference:g})",
                where="device",
                remedy="Use the CPU; a newer driver or another build of PyTorch may mend it.",
            )
        title = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return {
            "device": str(device),
            "title": title,
            "devices": devices,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "seconds": seconds,
        }

    def estimate(self, arguments: Estimate, report: Report) -> Mapping[str, Any]:
        """Memory that a reconstruction needs and has, in bytes, and whether it fits: see ``memory_plan``."""
        if arguments.method == "mirror":
            return main_memory_plan(arguments.shape)
        predictor = self._ready(arguments.model, arguments.device, report)
        report("estimate")
        return network_plan(predictor, arguments.shape)

    def models(self, arguments: Models, report: Report) -> Mapping[str, Any]:
        """The packages by name, each with its manifest, or with the problem that it has."""
        from CranialReconstructionLib.reconstruction.catalogue import available_packages
        from CranialReconstructionLib.reconstruction.manifest import read_manifest

        found = []
        for name, folder in available_packages().items():
            try:
                manifest, problem = asdict(read_manifest(folder)), ""
            except UserError as error:
                manifest, problem = {}, error.problem
            found.append({"name": name, "folder": folder, "manifest": manifest, "problem": problem})
        return {"models": found}

    def segment_skull(self, arguments: SegmentSkull, report: Report) -> Mapping[str, Any]:
        """Write ``skull.nrrd``."""
        from CranialReconstructionLib.imaging.files import write_volume
        from CranialReconstructionLib.imaging.scan import read_scan
        from CranialReconstructionLib.imaging.skull import segment_skull

        report("read")
        ct, warnings = read_scan(arguments.ct)
        report("segment")
        found = segment_skull(ct, arguments.threshold)
        report("write")
        path = arguments.folder / "skull.nrrd"
        write_volume(found.skull, path)
        return {
            "skull": path,
            "threshold": found.threshold,
            "bone_ml": _millilitres(found.skull),
            "warnings": [*warnings, *found.warnings],
        }

    def reconstruct(self, arguments: Reconstruct, report: Report) -> Mapping[str, Any]:
        """Write ``defect.nrrd`` and ``confidence.nrrd``; ``skull.nrrd`` and ``complete.nrrd`` if asked for.

        Raises:
            UserError: a mask is none, lies on another grid, or nothing is left of the skull; what the method refuses.
        """
        from CranialReconstructionLib.engine.region import cut_away, kept_within, read_mask
        from CranialReconstructionLib.imaging.files import read_volume, write_volume
        from CranialReconstructionLib.imaging.mask import as_skull_mask

        report("read")
        skull = as_skull_mask(read_volume(arguments.skull))
        region = read_mask(arguments.region, skull, "region")
        cut = read_mask(arguments.cut, skull, "cut")
        if cut is not None:
            skull = cut_away(skull, cut)
        method = self._network if arguments.method == "network" else self._mirror
        defect, confidence, details = method(skull, arguments, report)
        if region is not None:
            defect, confidence = kept_within(defect, region), kept_within(confidence, region)
        report("write")
        volumes = {"confidence": confidence, "defect": defect}
        if cut is not None:
            volumes["skull"] = skull
        if arguments.complete:
            volumes["complete"] = skull.with_voxels(((skull.voxels > 0) | (defect.voxels > 0)).view("u1"))
        written = {name: arguments.folder / f"{name}.nrrd" for name in volumes}
        for name, volume in volumes.items():
            write_volume(volume, written[name])
        found = bool(defect.voxels.any())
        return {
            **written,
            "method": arguments.method,
            "defect_found": found,
            "defect_ml": _millilitres(defect),
            **details,
        }

    def _network(
        self, skull: Volume, arguments: Reconstruct, report: Report
    ) -> tuple[Volume, Volume, Mapping[str, Any]]:
        predictor = self._ready(arguments.model, arguments.device, report)
        from CranialReconstructionLib.reconstruction.devices import available_memory

        share = arguments.memory_share
        predictor.memory = None if share is None else int(share * available_memory(predictor.device))
        outcome = predictor.reconstruct(skull, report)
        manifest = predictor.package.manifest
        details = {
            "model": {"name": manifest.name, "version": manifest.version, "licence": manifest.licence},
            "device": str(predictor.device),
            "plan": outcome.plan,
            "statistics": outcome.statistics,
            "seconds": outcome.seconds,
            "warnings": outcome.warnings,
        }
        return outcome.defect, outcome.confidence, details

    def _mirror(
        self, skull: Volume, arguments: Reconstruct, report: Report
    ) -> tuple[Volume, Volume, Mapping[str, Any]]:
        from CranialReconstructionLib.reconstruction.mirror import mirror_defect

        outcome = mirror_defect(skull, lambda share, stage: report(stage, share))
        details = {
            "plane_point": outcome.plane_point,
            "plane_normal": outcome.plane_normal,
            "residual": outcome.residual,
            "warnings": outcome.warnings,
        }
        return outcome.defect, outcome.confidence, details

    def _ready(self, model: str | None, device_name: str, report: Report) -> Predictor:
        """The warm predictor if it is the one, else a new one in its place."""
        report("load model")
        _import_torch()
        from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
        from CranialReconstructionLib.reconstruction.devices import choose_device
        from CranialReconstructionLib.reconstruction.manifest import MANIFEST_FILE
        from CranialReconstructionLib.reconstruction.model_package import load_package
        from CranialReconstructionLib.reconstruction.predictor import Predictor

        folder = find_package(model or DEFAULT_MODEL)
        device = choose_device(device_name)
        # The manifest holds the hashes of the weights: another version in the same folder is another model.
        manifest = sha256_of(folder / MANIFEST_FILE)
        wanted = f"{folder} {manifest} {device}"
        if self._predictor is None or self._loaded != wanted:
            # Two models at once may not fit.
            self._predictor = None
            self._predictor, self._loaded = Predictor(load_package(folder), device), wanted
        return self._predictor


def install_model(arguments: InstallModel, report: Report) -> Mapping[str, Any]:
    """Bring a package into the user's folder.

    Raises:
        UserError: it is none, fails verification, or its name is taken.
    """
    report("load torch")
    _import_torch()
    from CranialReconstructionLib.reconstruction.installation import install_package

    report("verify")
    folder = install_package(arguments.source, arguments.replace)
    return {"name": folder.name, "folder": folder}


def _entry(kind: type[A], work: Callable[[A, Report], Mapping[str, Any]]) -> tuple[str, Operation]:
    def run(values: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], to_json(work(parse_arguments(kind, kind.operation, values), report)))

    return kind.operation, run


def _import_torch() -> None:
    """Import torch, and say of a broken build what is said of a missing one: its libraries raise ``OSError``."""
    try:
        import torch  # noqa: F401
    except OSError as error:
        raise ImportError(str(error), name="torch") from error


def _millilitres(mask: Volume) -> float:
    return round(float(mask.voxels.sum()) * mask.grid.voxel_volume / 1000.0, 3)
