"""Which prediction belongs to which truth, and to which skull: by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import READABLE

# What ``cranial reconstruct`` calls the missing bone in a case's folder.
DEFECT = "defect"


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Attributes:
        name: of the case, for tables.
        prediction: predicted missing bone.
        truth: true missing bone.
        skull: defective skull, or ``None``.
    """

    name: str
    prediction: Path
    truth: Path
    skull: Path | None = None


@dataclass(frozen=True)
class Matching:
    """The cases of two folders, and the names that found no partner.

    Attributes:
        cases: ordered by name.
        without_prediction: truths that nothing was predicted for.
        without_truth: predictions whose truth is not there.
        without_skull: cases whose skull is not there, when skulls were given.
    """

    cases: tuple[CaseFiles, ...]
    without_prediction: tuple[str, ...] = field(default=())
    without_truth: tuple[str, ...] = field(default=())
    without_skull: tuple[str, ...] = field(default=())


def match_cases(prediction: Path, truth: Path, skull: Path | None = None) -> Matching:
    """Match two files, or the files of two folders by name.

    The name of a case is that of its file without the ending (``000.nrrd``, ``000.nii.gz``), or that of
    a subfolder that holds the case's ``defect`` file, as ``cranial reconstruct`` writes it.

    Args:
        prediction: a file, or a folder.
        truth: a file where ``prediction`` is one, a folder where it is one.
        skull: a folder, or for two files a file.

    Raises:
        UserError: something is not there, files and folders are mixed, two files of one folder have one
            name, or no name matches.
    """
    for path in (prediction, truth, skull):
        if path is not None and not path.exists():
            raise UserError("there is no such file or folder", where=str(path), remedy="Check the path.")
    if prediction.is_dir() != truth.is_dir():
        raise UserError(
            "one is a file and the other a folder",
            where=f"{prediction} and {truth}",
            remedy="Give two files, or two folders whose files have the same names.",
        )
    if not prediction.is_dir():
        return _match_files(prediction, truth, skull)
    return _match_folders(prediction, truth, skull)


def _match_files(prediction: Path, truth: Path, skull: Path | None) -> Matching:
    name = _stem(truth) or truth.name
    if skull is None or not skull.is_dir():
        return Matching((CaseFiles(name, prediction, truth, skull),))
    found = _cases_in(skull).get(name)
    return Matching((CaseFiles(name, prediction, truth, found),), without_skull=() if found is not None else (name,))


def _match_folders(prediction: Path, truth: Path, skull: Path | None) -> Matching:
    if skull is not None and not skull.is_dir():
        raise UserError(
            "one skull cannot serve a folder of cases",
            where=str(skull),
            remedy="Give the folder of the defective skulls, with the names of the cases.",
        )
    predictions, truths = _cases_in(prediction), _cases_in(truth)
    skulls = {} if skull is None else _cases_in(skull)
    names = sorted(predictions.keys() & truths.keys())
    if not names:
        raise UserError(
            f"no name in it matches one in {truth} ({_some(predictions)} against {_some(truths)})",
            where=str(prediction),
            remedy="Name each prediction, or the folder of its defect file, like its truth.",
        )
    return Matching(
        cases=tuple(CaseFiles(name, predictions[name], truths[name], skulls.get(name)) for name in names),
        without_prediction=tuple(sorted(truths.keys() - predictions.keys())),
        without_truth=tuple(sorted(predictions.keys() - truths.keys())),
        without_skull=() if skull is None else tuple(name for name in names if name not in skulls),
    )


def _cases_in(folder: Path) -> dict[str, Path]:
    """The volume of each case in ``folder``: its files, and the ``defect`` files of its subfolders."""
    cases: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found = [(entry.name, file) for file in sorted(entry.iterdir()) if _stem(file) == DEFECT]
        else:
            stem = _stem(entry)
            found = [(stem, entry)] if stem else []
        for name, file in found:
            if name in cases:
                raise UserError(
                    f"two files hold case {name} ({cases[name].name} and {file.name})",
                    where=str(folder),
                    remedy="Leave one of them.",
                )
            cases[name] = file
    return cases


def _stem(file: Path) -> str | None:
    """The name without the ending of a volume; ``None`` when it has no such ending."""
    for ending in sorted(READABLE, key=len, reverse=True):
        if file.name.lower().endswith(ending):
            return file.name[: -len(ending)]
    return None


def _some(cases: dict[str, Path]) -> str:
    names = list(cases)[:3]
    return ", ".join(names) + (", ..." if len(cases) > len(names) else "") if names else "no volumes"
