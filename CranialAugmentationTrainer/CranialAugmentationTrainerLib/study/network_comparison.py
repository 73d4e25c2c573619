"""Trained reconstruction networks measured alike, on skulls that none of them has learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid, read_masks
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.study.comparison import PARTS, ComparedNetwork, Comparison, Kind
from CranialAugmentationTrainerLib.study.comparison_figures import FIGURES, differences, summaries, winner
from CranialAugmentationTrainerLib.study.grid_measuring import (
    ANYWHERE,
    CUTS,
    OWN,
    case_of_cut,
    cut_anywhere,
    grid_scores,
    own_defects,
)
from CranialAugmentationTrainerLib.study.seen_skulls import skulls_seen
from CranialAugmentationTrainerLib.training.case_network import CaseTask
from CranialAugmentationTrainerLib.training.case_store import StoredCase, store_case
from CranialAugmentationTrainerLib.training.network_packaging import run_as_package
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training import trained_case_network
from CranialAugmentationTrainerLib.training.training_settings import parse_training
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.case import CaseScores, evaluate_case
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.predictor import Predictor

# At the resolution of a case's own files, as a user of the network would have it.
RESOLUTION = "resolution"

Scores = dict[str, dict[str, dict[str, CaseScores]]]
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class _Candidate:
    """A network that is compared."""

    name: str
    run: RunFolder
    task: CaseTask


def compare_networks(
    runs: Sequence[Path],
    data: Path,
    cache: Path,
    *,
    part: str = PARTS[0],
    split: Path | None = None,
    own_resolution: bool = False,
    device: str = "auto",
    command: str = "",
    report: Report = lambda done, of: None,
) -> Comparison:
    """Measure the networks of runs on the skulls of one part of their split.

    Masks are compared on the finest of the networks' grids, with the skulls' own defects and with cuts all over
    their vaults, the same for every network.

    Args:
        runs: of ``cranial train reconstruction``.
        data: a data set that holds the skulls.
        cache: where resampled skulls are kept.
        part: one of ``PARTS``.
        split: whose skulls are measured; those that the runs themselves kept apart, and agree on, without it.
        own_resolution: measure own defects at the resolution of their files too, as after ``package_network``.
        device: a name of ``choose_device``.
        command: to be noted.
        report: is told after each measurement what is done of how many.

    Raises:
        UserError: a run has no reconstruction network, the runs kept different skulls apart, one has learned from a
            skull that is to be measured, or there is no such skull.
    """
    place = choose_device(device)
    candidates = _candidates(runs)
    cases = _compared_cases(candidates, data, part, split)
    warnings = _unseen(candidates, cases)
    side = max(candidate.task.side for candidate in candidates)
    stored: list[StoredCase] = []
    for case in cases:
        kept = store_case(case, side, cache)
        if isinstance(kept, StoredCase):
            stored.append(kept)
        else:
            warnings.append(f"{kept.name} is left out: {kept.reason}.")
    if not stored:
        raise UserError("none of the skulls can be read", where=str(data), remedy="Check its files.")
    names = {case.name for case in stored}
    read = [case for case in cases if case.name in names]
    for candidate in candidates:
        candidate.task.to(place)
    scores, skull_of = _measured(candidates, stored, read, place if own_resolution else None, report)
    if any(ANYWHERE not in found for found in scores.values()):
        raise UserError("no cut meets a vault", where=str(data), remedy="Give skulls with their vaults.")
    kinds = _kinds(side, [kind for kind in (OWN, ANYWHERE, RESOLUTION) if kind in scores[candidates[0].name]])
    best, rule = winner(scores)
    return Comparison(
        data=str(data.resolve()),
        part=part,
        voxel_mm=case_grid(side).spacing[0],
        skulls=tuple(sorted({case.skull for case in read})),
        networks=tuple(_described(candidate) for candidate in candidates),
        kinds=kinds,
        figures=FIGURES,
        lines=tuple(summaries(scores)),
        differences=tuple(differences(scores, skull_of)),
        scores={
            network: {kind: {case: asdict(figures) for case, figures in found.items()} for kind, found in own.items()}
            for network, own in scores.items()
        },
        skull_of=skull_of,
        winner=best,
        rule=rule,
        warnings=tuple(warnings),
        command=command,
    )


def _candidates(runs: Sequence[Path]) -> list[_Candidate]:
    folders = [run.resolve() for run in runs]
    if len(set(folders)) != len(folders) or not folders:
        raise UserError("a run is named twice, or none is", where="runs", remedy="Name each run once.")
    short = [folder.name for folder in folders]
    names = [
        folder.name if short.count(folder.name) == 1 else f"{folder.parent.name}/{folder.name}" for folder in folders
    ]
    if len(set(names)) != len(names):
        names = [str(folder) for folder in folders]
    return [
        _Candidate(name, RunFolder(folder), trained_case_network(RunFolder(folder)))
        for name, folder in zip(names, folders, strict=True)
    ]


def _compared_cases(
    candidates: Sequence[_Candidate], data: Path, part: str, split: Path | None
) -> tuple[SkullCase, ...]:
    """The cases of the skulls that are measured, by name."""
    if part not in PARTS:
        raise UserError(f"there is no part {part!r}", where="--part", remedy=f"Choose one of {', '.join(PARTS)}.")
    found = [case for case in read_data_set(data).usable().cases if case.paired or case.complete is not None]
    there = {case.skull for case in found}
    if split is not None:
        skulls = set(getattr(Split.read(split), part)) & there
    else:
        kept = {candidate.name: set(getattr(Split.read(candidate.run.split), part)) & there for candidate in candidates}
        first, skulls = next(iter(kept.items()))
        for name, others in kept.items():
            if others != skulls:
                differing = ", ".join(sorted(others ^ skulls)[:5])
                raise UserError(
                    f"{first} and {name} kept different skulls apart for {part} ({differing})",
                    where=str(data),
                    remedy="Train both with the same --split, or give --split with skulls that neither has seen.",
                )
    if not skulls:
        raise UserError(
            f"it holds no skull that was kept apart for {part}",
            where=str(data),
            remedy="Give the data set that the runs' split divides, or --split.",
        )
    return tuple(case for case in found if case.skull in skulls)


def _unseen(candidates: Sequence[_Candidate], cases: Sequence[SkullCase]) -> list[str]:
    """What cannot be known of what the networks have seen; refuses where one has seen a skull."""
    asked = {case.name: case.skull for case in cases}
    untold: list[str] = []
    for candidate in candidates:
        seen = skulls_seen(candidate.run, asked)
        if seen.skulls:
            skull, how = next(iter(seen.skulls.items()))
            more = f" and {len(seen.skulls) - 1} more" if len(seen.skulls) > 1 else ""
            raise UserError(
                f"{candidate.name} has seen the skull {skull}{more} that it would be measured on: {how}",
                where=str(candidate.run.path),
                remedy="Train it, and what its sets were made by, with the same --split as the others.",
            )
        untold += seen.untold
    return untold


def _measured(
    candidates: Sequence[_Candidate],
    stored: Sequence[StoredCase],
    cases: Sequence[SkullCase],
    resolution_on: torch.device | None,
    report: Report,
) -> tuple[Scores, dict[str, str]]:
    """Scores by network, kind and case; and the skull of each case.

    Args:
        resolution_on: where to reconstruct at the files' resolution; None leaves that out.
    """
    paired = {case.name for case in cases if case.paired}
    own = [case for case in stored if case.name in paired]
    skull_of = {case.name: case.skull for case in stored}
    scores: Scores = {candidate.name: {} for candidate in candidates}
    of = len(candidates) * (len(own) * (2 if resolution_on else 1) + CUTS * len(stored))
    done = 0

    def keep(candidate: _Candidate, kind: str, name: str, found: CaseScores) -> None:
        nonlocal done
        scores[candidate.name].setdefault(kind, {})[name] = found
        done += 1
        report(min(done, of - 1), of)

    for kind, named in ((OWN, own_defects(own)), (ANYWHERE, cut_anywhere(stored))):
        for name, case in named:
            skull_of.setdefault(name, skull_of.get(case_of_cut(name), ""))
            for candidate in candidates:
                keep(candidate, kind, name, grid_scores(candidate.task, case))
    if resolution_on:
        whole = [case for case in cases if case.paired]
        for candidate, name, found in _at_own_resolution(candidates, whole, resolution_on):
            keep(candidate, RESOLUTION, name, found)
    report(of, of)
    return scores, skull_of


def _at_own_resolution(
    candidates: Sequence[_Candidate], cases: Sequence[SkullCase], device: torch.device
) -> Iterator[tuple[_Candidate, str, CaseScores]]:
    predictors = [(candidate, Predictor(run_as_package(candidate.run), device)) for candidate in candidates]
    for case in cases:
        skull, truth = read_masks(case)
        for candidate, predictor in predictors:
            yield candidate, case.name, evaluate_case(predictor.reconstruct(skull).defect, truth, skull)


def _kinds(side: int, present: Sequence[str]) -> tuple[Kind, ...]:
    grid = f"masks on a grid of {case_grid(side).spacing[0]:g} mm"
    words: Mapping[str, str] = {
        OWN: f"the skulls' own defects, {grid}",
        ANYWHERE: f"{CUTS} cuts a skull all over the vault, {grid}",
        RESOLUTION: "the skulls' own defects, at their files' resolution",
    }
    return tuple(Kind(kind, words[kind]) for kind in present)


def _described(candidate: _Candidate) -> ComparedNetwork:
    run = candidate.run
    settings = parse_training(run.read_configuration(), str(run.path / "run.json"))
    cases = [int(event["training"]) for event in run.read_events() if event["event"] == "cases"]
    return ComparedNetwork(
        name=candidate.name,
        run=str(run.path),
        preset=settings.preset,
        side=settings.side,
        steps=settings.steps,
        training_cases=cases[-1] if cases else 0,
        data=tuple(folder.name for folder in run.data_folders()),
        augmentation=settings.augmentation.names,
    )
