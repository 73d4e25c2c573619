"""Every action of the panel as one line, for Slicer's Python console and for scripts.

The other modules are imported when an action is called: the module's file, which Slicer reads at its start,
takes its logic from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from CranialReconstructionLib.scene.results import Reconstruction
    from CranialReconstructionLib.workflow.implanting import MadeImplant
    from CranialReconstructionLib.workflow.reconstructing import Comparison
    from CranialReconstructionLib.workflow.segment import NodeFiles, Segment
    from CranialReconstructionLib.workflow.segmenting import SegmentedSkull
    from CranialReconstructionLib.workflow.tasks import Task, Tasks

T = TypeVar("T")


class ScriptActions:
    """The actions; each waits for its end.

    Whoever inherits gives the worker, the files for it, the case at hand, and what keeps an application alive
    meanwhile. Errors are ``UserError`` and ``TaskFailedError``, with what to do in their texts.
    """

    def worker_tasks(self) -> Tasks:
        """The tasks of the worker that does it."""
        raise AttributeError("who inherits gives the tasks")

    def worker_files(self) -> NodeFiles:
        """Nodes as files for that worker."""
        raise AttributeError("who inherits gives the files")

    def current_case(self) -> Any:
        """The parameter node of the case that the results belong to."""
        raise AttributeError("who inherits gives the case")

    def turn(self) -> None:
        """Called many times a second while an action waits."""

    def segment_skull(self, volume: Any, threshold: float | None = None) -> SegmentedSkull:
        """The skull of a CT volume node, from ``threshold`` (HU) or one that is found; of a label map, all of it."""
        from CranialReconstructionLib.workflow.segmenting import segment_skull, skull_of_labelmap

        if volume.IsA("vtkMRMLLabelMapVolumeNode"):
            return skull_of_labelmap(self.current_case(), volume)
        return self._wait(segment_skull(self.worker_tasks(), self.current_case(), volume, threshold))

    def reconstruct(self, skull: Segment, curve: Any = None, move_rim: bool = False, **options: Any) -> Reconstruction:
        """The missing bone of a skull.

        Args:
            curve: closed curve node; bone is added inside of it only.
            move_rim: bone inside of the curve counts as missing instead.
            options: of ``workflow.reconstructing.Options``: method, model, device, complete.
        """
        from CranialReconstructionLib.workflow.editing import region_of
        from CranialReconstructionLib.workflow.reconstructing import Options, reconstruct

        region = None if curve is None else region_of(curve, skull)
        inside, cut = (None, region) if move_rim else (region, None)
        return self._wait(
            reconstruct(
                self.worker_tasks(), self.worker_files(), self.current_case(), skull, Options(**options), inside, cut
            )
        )

    def compare(self, first: Reconstruction, second: Reconstruction) -> Comparison:
        """Where two reconstructions of one skull differ, and by how much."""
        from CranialReconstructionLib.workflow.reconstructing import compare
        from CranialReconstructionLib.workflow.segment import Segment

        one, other = (Segment(entry.segmentation, entry.defect_id) for entry in (first, second))
        return self._wait(compare(self.worker_tasks(), self.worker_files(), self.current_case(), one, other))

    def keep_inside(self, found: Reconstruction, curve: Any) -> float:
        """Take away missing bone outside of a closed curve; the millilitres that went."""
        from CranialReconstructionLib.workflow.editing import keep_inside
        from CranialReconstructionLib.workflow.segment import Segment

        defect = Segment(found.segmentation, found.defect_id)
        return keep_inside(defect, curve, Segment(found.segmentation, found.skull_id))

    def make_implant(
        self,
        found: Reconstruction,
        design: Mapping[str, Any] | None = None,
        folder: str | Path | None = None,
        formats: tuple[str, ...] = ("stl",),
        **delivery: Any,
    ) -> MadeImplant:
        """The implant of a missing bone, checked and shown, and written where a folder is given.

        Args:
            design: as its JSON file has it ({"gap": 0.7, "material": "PMMA"}); what is left out is the default.
            formats: "stl", "ply", "obj", "3mf", "glb", "dicom-stl", "dicom-seg".
            delivery: of ``workflow.implanting.Delivery``: frame, force, report, source, patient.
        """
        from CranialReconstructionLib.implant.design import parse_design
        from CranialReconstructionLib.workflow.implanting import Delivery, Ground, make
        from CranialReconstructionLib.workflow.segment import Segment

        skull, defect = (Segment(found.segmentation, entry) for entry in (found.skull_id, found.defect_id))
        ground = Ground(skull, defect, found.confidence)
        where = None if folder is None else Delivery(Path(folder).absolute(), formats, **delivery)
        return self._wait(
            make(
                self.worker_tasks(), self.worker_files(), self.current_case(), ground, parse_design(design or {}), where
            )
        )

    def _wait(self, task: Task[T]) -> T:
        turn: Callable[[], None] = self.turn
        return self.worker_tasks().wait(task, turn)
