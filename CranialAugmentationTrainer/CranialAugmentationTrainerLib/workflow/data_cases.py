"""Cases of data sets by name, as surfaces: what a point of a latent space stands for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid, read_case
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.scene.label_surfaces import FINEST, Surfaces, surfaces_of_shares
from CranialReconstructionLib.errors import UserError

# Surfaces that are kept, so that going back to a point takes no time.
KEPT = 32


class DataCases:
    """Data sets that were looked into; a folder is read once."""

    def __init__(self) -> None:
        self._cases: dict[Path, dict[str, SkullCase]] = {}
        self._made = lru_cache(maxsize=KEPT)(self._make)

    def surfaces(self, folder: Path, name: str) -> Surfaces:
        """Skull and missing bone of a case, on the grid that generators know; up to a second for a large file.

        Raises:
            UserError: the folder or its file cannot be read, or the case is no longer there.
        """
        return self._made(folder, name)

    def _make(self, folder: Path, name: str) -> Surfaces:
        if folder not in self._cases:
            self._cases[folder] = {case.name: case for case in read_data_set(folder).cases}
        case = self._cases[folder].get(name)
        if case is None:
            raise UserError(f"the case {name!r} is no longer there", where=str(folder), remedy="Embed the data again.")
        return surfaces_of_shares(read_case(case, FINEST), case_grid(FINEST))
