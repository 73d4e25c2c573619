"""What the worker does when it is asked, and the model that it keeps warm between two requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, cast

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.engine.arguments import (
    DEVICES,
    Arguments,
    Estimate,
    MakeImplant,
    Models,
    Reconstruct,
    SegmentSkull,
    SelfTest,
    parse_arguments,
)
from CranialReconstructionLib.engine.memory_plan import main_memory_plan, network_plan
from CranialReconstructionLib.engine.records import to_json
from CranialReconstructionLib.engine.worker import Operation, Report
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume
    from CranialReconstructionLib.implant.export.about import Frame
    from CranialReconstructionLib.reconstruction.predictor import Predictor

A = TypeVar("A", bound=Arguments)

# Largest difference between a device and the CPU that rounding explains, for values of about one.
ROUNDING = 1e-2


class Operations:
    """The operations of one worker, which share its warm model."""

    def __init__(self) -> None:
        self._predictor: Predictor | None = None
        self._loaded = ""

    def table(self) -> Mapping[str, Operation]:
        """Every operation by its name."""
        return dict(
            [
                _entry(SelfTest, self.self_test),
                _entry(Estimate, self.estimate),
                _entry(Models, self.models),
                _entry(SegmentSkull, self.segment_skull),
                _entry(Reconstruct, self.reconstruct),
                _entry(MakeImplant, self.implant),
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
        """Memory that a reconstruction needs and has, in bytes: see ``memory_plan``."""
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
        """Write ``defect.nrrd`` and ``confidence.nrrd``."""
        from CranialReconstructionLib.imaging.files import read_volume, write_volume
        from CranialReconstructionLib.imaging.mask import as_skull_mask

        report("read")
        skull = as_skull_mask(read_volume(arguments.skull))
        method = self._network if arguments.method == "network" else self._mirror
        defect, confidence, details = method(skull, arguments, report)
        report("write")
        written = {"defect": arguments.folder / "defect.nrrd", "confidence": arguments.folder / "confidence.nrrd"}
        write_volume(confidence, written["confidence"])
        write_volume(defect, written["defect"])
        found = bool(defect.voxels.any())
        return {
            **written,
            "method": arguments.method,
            "defect_found": found,
            "defect_ml": _millilitres(defect),
            **details,
        }

    def implant(self, arguments: MakeImplant, report: Report) -> Mapping[str, Any]:
        """Write the meshes of each implant, of its mould and of the host bone, and ``design.json``.

        Raises:
            UserError: the design cannot be made, a format is no mesh's, or the defect is empty.
        """
        from CranialReconstructionLib.imaging.files import read_volume
        from CranialReconstructionLib.imaging.mask import as_skull_mask
        from CranialReconstructionLib.implant.design import parse_design
        from CranialReconstructionLib.implant.export.about import About
        from CranialReconstructionLib.implant.export.formats import write_mesh
        from CranialReconstructionLib.implant.figures import figures
        from CranialReconstructionLib.implant.making import make_host_bone, make_implants

        design = parse_design(arguments.design)
        report("read")
        skull, defect = as_skull_mask(read_volume(arguments.skull)), read_volume(arguments.defect)
        confidence = read_volume(arguments.confidence) if arguments.confidence else None
        implants = make_implants(skull, defect, design, confidence, report)
        parts = {f"implant-{number}": implant.pieces for number, implant in enumerate(implants, start=1)}
        for number, implant in enumerate(implants, start=1):
            if implant.mould:
                parts[f"implant-{number}-mould-upper"] = (implant.mould.upper,)
                parts[f"implant-{number}-mould-lower"] = (implant.mould.lower,)
        if design.host_model:
            report("host bone")
            parts["host-bone"] = (make_host_bone(skull, defect, design),)
        report("write")
        about = About(design.name, design.number, cast("Frame", arguments.frame))
        arguments.folder.mkdir(parents=True, exist_ok=True)
        written = {name: [arguments.folder / f"{name}.{kind}" for kind in arguments.formats] for name in parts}
        for name, paths in written.items():
            for path in paths:
                write_mesh(parts[name], path, about)
        (arguments.folder / "design.json").write_text(json.dumps(design.as_json(), indent=1) + "\n")
        return {
            "files": written,
            "frame": arguments.frame,
            "design": design.as_json(),
            "implants": [figures(implant) for implant in implants],
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
