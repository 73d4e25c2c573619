"""What folders of skulls hold, told before anything is learned from them: cases, persons, grids, what is broken.

Headers tell nearly all of it, so that a data set of a hundred gigabytes is looked through in a minute. How a
few cases look is ``case_pictures``' part, which reads those few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from CranialAugmentationTrainerLib.datasets.file_headers import grid_in_header
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet, SkullCase
from CranialReconstructionLib.imaging.volume import Grid

# Millimetres between slices above which an implant's fit suffers (REFERENCE section 8).
THICK_SLICE = 1.5
# Degrees that an axis may lean before a scan counts as oblique.
LEAN = 1.0
# Where the axes of a grid run to, by the sign of their RAS direction.
_ENDS = ("LR", "PA", "IS")

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class GridRange:
    """Smallest and largest values of the grids of a data set, along (I, J, K).

    Attributes:
        spacing: of a voxel, mm.
        shape: voxels.
    """

    spacing: tuple[tuple[float, float, float], tuple[float, float, float]]
    shape: tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class FolderCheck:
    """What one folder holds.

    Attributes:
        folder: that was looked into.
        layout: as it was read.
        cases: that can be read, by their headers.
        pairs: of them, those whose skull and missing bone are both known.
        whole: skulls without a defect.
        open: skulls with a defect whose missing bone is not known.
        persons: skulls that a split tells apart.
        kinds: pairs by the kind of their defect, where the layout names one.
        axes: cases by where their axes I, J and K run to, such as "LPS".
        grids: their range; None without a case.
        oddities: sentences about grids that are unusual; nothing that must be mended.
        broken: what cannot be used.
    """

    folder: Path
    layout: str
    cases: int
    pairs: int
    whole: int
    open: int
    persons: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    grids: GridRange | None = None
    oddities: tuple[str, ...] = ()
    broken: tuple[BrokenCase, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it, for ``data.json``."""
        content = asdict(self)
        content["folder"] = str(self.folder)
        content["broken"] = [{**asdict(case), "path": str(case.path)} for case in self.broken]
        return content


def check_folder(folder: Path, tell: Tell = lambda done, of: None) -> tuple[FolderCheck, DataSet]:
    """Look through a folder in any known layout; its cases come along, for pictures of them.

    Args:
        tell: is called with the cases that were looked at, and of how many.

    Raises:
        UserError: there is no such folder.
    """
    data = read_data_set(folder)
    grids: list[Grid] = []
    for done, case in enumerate(data.cases, start=1):
        grid = grid_in_header(case.masks[0])
        # What was readable a moment ago may be gone by now.
        if isinstance(grid, Grid):
            grids.append(grid)
        tell(done, len(data.cases))
    kinds = Counter(_kind(case) for case in data.cases if case.paired)
    check = FolderCheck(
        folder=folder,
        layout=_layout(data),
        cases=len(data.cases),
        pairs=sum(case.paired for case in data.cases),
        whole=sum(_is_whole(case) for case in data.cases),
        open=sum(not case.paired and not _is_whole(case) for case in data.cases),
        persons=len(data.skulls),
        kinds={kind: count for kind, count in sorted(kinds.items()) if kind},
        axes=dict(Counter(_axes(grid) for grid in grids).most_common()),
        grids=_range(grids),
        oddities=tuple(_oddities(grids)),
        broken=data.broken,
    )
    return check, data


def shared_names(sets: Sequence[DataSet]) -> list[str]:
    """Skulls of the same name in several real data sets: a split takes them for one person."""
    seen = Counter(name for data in sets if data.kind != "synthetic" for name in data.skulls)
    return sorted(name for name, count in seen.items() if count > 1)


def _is_whole(case: SkullCase) -> bool:
    return case.complete is not None and case.defective is None and case.labels is None


def _kind(case: SkullCase) -> str:
    """The folder between a data set and its case, as SkullBreak names defects."""
    return case.name.rpartition("/")[0]


def _layout(data: DataSet) -> str:
    """The layout as its publishers call it."""
    if data.kind != "paired":
        return data.kind
    return "SkullBreak" if any(_kind(case) for case in data.cases) else "SkullFix"


def _axes(grid: Grid) -> str:
    directions = grid.ijk_to_ras[:3, :3] / np.array(grid.spacing)
    rows = np.abs(directions).argmax(axis=0)
    return "".join(_ENDS[row][int(directions[row, axis] > 0)] for axis, row in enumerate(rows))


def _lean(grid: Grid) -> float:
    """Degrees between the axis that leans most and the patient's axis next to it."""
    directions = np.abs(grid.ijk_to_ras[:3, :3] / np.array(grid.spacing))
    return float(np.degrees(np.arccos(np.clip(directions.max(axis=0), 0.0, 1.0))).max())


def _range(grids: Sequence[Grid]) -> GridRange | None:
    if not grids:
        return None
    spacings = np.round([grid.spacing for grid in grids], 4)
    shapes = np.array([grid.shape[::-1] for grid in grids])
    low, high = (_three(spacings.min(0)), _three(spacings.max(0)))
    least, most = ((int(i), int(j), int(k)) for i, j, k in (shapes.min(0), shapes.max(0)))
    return GridRange((low, high), (least, most))


def _three(values: Any) -> tuple[float, float, float]:
    i, j, k = (float(value) for value in values)
    return i, j, k


def _oddities(grids: Sequence[Grid]) -> list[str]:
    found = []
    leaning = [lean for grid in grids if (lean := _lean(grid)) > LEAN]
    if leaning:
        found.append(f"the axes of {_cases(len(leaning))} are oblique, by up to {max(leaning):.0f} degrees")
    turned = sum(np.linalg.det(grid.ijk_to_ras[:3, :3]) < 0 for grid in grids)
    if 0 < turned < len(grids):
        found.append(f"{_cases(int(turned))} of {len(grids)} have left-handed axes; check that none is mirrored")
    thick = [size for grid in grids if (size := max(grid.spacing)) > THICK_SLICE]
    if thick:
        found.append(f"{_cases(len(thick))} have voxels longer than {THICK_SLICE} mm, up to {max(thick):.1f} mm")
    orders = {_axes(grid) for grid in grids}
    if len(orders) > 1:
        found.append(f"the axes of the files run in {len(orders)} different ways, which changes nothing of a run")
    return found


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
