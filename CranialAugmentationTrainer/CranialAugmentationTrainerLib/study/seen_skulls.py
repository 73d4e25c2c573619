"""Which skulls a run has learned from: by itself, through sets made of them, through generators that knew them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.datasets.synthetic_set import ORIGIN, SyntheticSet, is_synthetic_set
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class Seen:
    """What a run's folders tell.

    Attributes:
        skulls: those of the asked ones that the run has learned from, and how.
        untold: what cannot be known, in sentences.
    """

    skulls: Mapping[str, str]
    untold: tuple[str, ...] = ()


def skulls_seen(run: RunFolder, cases: Mapping[str, str]) -> Seen:
    """Which of some skulls a run has learned from, as far as its split and the indices of its sets tell.

    Args:
        cases: skull by the name of each case, of the skulls that are asked for.

    Raises:
        UserError: the run has no split.
    """
    split = Split.read(run.split)
    asked, held = set(cases.values()), {*split.validation, *split.test}
    seen = dict.fromkeys(sorted(asked & set(split.train)), "it was trained on")
    untold: list[str] = []
    for folder in run.data_folders():
        if not folder.is_dir():
            untold.append(f"{run.path.name}: its data set {folder} is gone; what that was made of is not known.")
        elif is_synthetic_set(folder):
            for skull, how in _of_set(SyntheticSet(folder), cases, held, untold, run.path.name):
                seen.setdefault(skull, how)
    return Seen(seen, tuple(untold))


def _of_set(
    made: SyntheticSet, cases: Mapping[str, str], held: set[str], untold: list[str], run: str
) -> Iterator[tuple[str, str]]:
    asked = set(cases.values())
    for record in made.records().values():
        own = str(record.facts.get("skull", ""))
        # Cases of a skull that the run keeps apart have taught it nothing.
        if record.rejected or own in held:
            continue
        sources = record.facts.get("sources", ())
        for skull in sorted({own, *(cases.get(str(name), "") for name in sources)} & asked):
            yield skull, f"case {record.number} of {made.path.name} was made of it"
    origin = _recipe(made).get(ORIGIN)
    if origin is None:
        return
    try:
        known = Split.read(RunFolder(Path(str(origin))).split).train
    except UserError:
        untold.append(f"{run}: {made.path.name} was made by {origin}, which does not tell the skulls that it knew.")
        return
    for skull in sorted(asked & set(known)):
        yield skull, f"{made.path.name} was made by {Path(str(origin)).name}, which learned from it"


def _recipe(made: SyntheticSet) -> Mapping[str, object]:
    try:
        recipe = made.recipe()
    except UserError:
        return {}
    return recipe if isinstance(recipe, dict) else {}
