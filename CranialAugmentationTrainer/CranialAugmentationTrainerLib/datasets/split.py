"""A division by skull, seeded, and written down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class Split:
    """Names of skulls. Networks learn from ``train``; constants are chosen on ``validation``; figures
    are reported on ``test``, which nothing has seen before."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write the split as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Split:
        """Read what ``write`` wrote.

        Raises:
            UserError: not a split, or a skull stands on two sides of it.
        """
        try:
            content = json.loads(path.read_text())
            split = cls(**{side: tuple(content[side]) for side in ("train", "validation", "test")})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"not a split file ({error})", where=str(path), remedy="Delete it; a new one is drawn."
            ) from error
        sides = [*split.train, *split.validation, *split.test]
        if len(sides) != len(set(sides)):
            raise UserError("a skull stands on two sides of the split", where=str(path), remedy="Leave it on one side.")
        return split


def split_by_skull(
    skulls: Iterable[str],
    seed: int,
    validation: int,
    test: int,
    same_person: Sequence[Sequence[str]] = (),
) -> Split:
    """Draw ``validation`` and ``test`` skulls; the rest is for training.

    Args:
        skulls: names of all skulls.
        seed: the same seed and names give the same split, in whatever order they come.
        same_person: groups of names that are one person and go to training together.

    Raises:
        UserError: too few skulls.
    """
    names = sorted(set(skulls))
    tied = {name for group in same_person for name in group}
    free = [name for name in names if name not in tied]
    if validation + test >= len(free):
        raise UserError(
            f"{len(names)} skulls cannot give {validation} for validation and {test} for test",
            where="the data folder",
            remedy="Add skulls, or lower `validation` and `test` in the configuration.",
        )
    order = [free[i] for i in np.random.default_rng(seed).permutation(len(free))]
    held = order[: validation + test]
    return Split(
        train=tuple(name for name in names if name not in held),
        validation=tuple(sorted(held[:validation])),
        test=tuple(sorted(held[validation:])),
    )
