"""What a watched set holds, in the scene: its first cases in rows, one of its pairs, its figures beside real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.scene.pair_surfaces import PairFiles, ShownPair, pair_models, show_pair
from CranialAugmentationTrainerLib.scene.sequences import models_of
from CranialAugmentationTrainerLib.scene.set_cases import (
    FIRST,
    forget_cases,
    row_models,
    rows_of,
    show_case,
    shown_cases,
)
from CranialAugmentationTrainerLib.scene.set_statistics import show_statistics
from CranialAugmentationTrainerLib.scene.shown_alone import hide, show_alone
from CranialAugmentationTrainerLib.workflow.event_file import identity
from CranialAugmentationTrainerLib.workflow.set_actions import figures_of
from CranialAugmentationTrainerLib.workflow.set_watch import SetWatch

# Pairs take turns in the same models.
PAIR = "pair of a set"


def show_next_case(trainer: Any, watch: SetWatch) -> bool:
    """Show one of the first cases that is not in the scene yet; False if there is none.

    One takes less than a tenth of a second at 64 voxels an edge: a timer that calls this shows them as they come.

    Raises:
        UserError: its volume cannot be read.
    """
    shown = shown_cases(trainer, watch.folder)
    states = {case.number: _state(case.volume) for case in watch.cases}
    if any(states.get(number) not in (state, "") for number, state in shown.items() if number in states):
        # Another set has taken the folder.
        forget_cases(trainer, watch.folder)
        shown = {}
    if len(shown) >= FIRST:
        return False
    case = next((case for case in watch.cases if case.number not in shown and states[case.number]), None)
    if case is None:
        return False
    show_case(trainer, watch.folder, watch.folder.name, case.number, case.volume, states[case.number])
    return True


def reveal_cases(trainer: Any, folder: Path) -> None:
    """Show the rows of this set, and nothing else of the trainer's."""
    browser = rows_of(trainer, folder)
    show_alone(trainer, [] if browser is None else list(models_of(browser).values()))


def hide_sets(trainer: Any) -> None:
    """Take all that sets have out of the views; it stays in the scene."""
    hide([*row_models(trainer), *pair_models(trainer)])


def reveal_pair(trainer: Any, files: PairFiles, name: str) -> ShownPair:
    """Show a pair, and nothing else of the trainer's: the head that was moved, the one it was moved towards, and what
    came of it.

    Raises:
        UserError: a file cannot be read; then nothing has changed.
    """
    shown = show_pair(trainer, files, PAIR, name)
    show_alone(trainer, list(shown.models.values()))
    return shown


def show_figures(trainer: Any, made: Path) -> Any:
    """The table of a set's figures, from the file that its statistics wrote.

    Raises:
        UserError: it has none.
    """
    return show_statistics(trainer, made, figures_of(made))


def _state(volume: Path) -> str:
    """Another word for a file that was written again; empty if it is gone."""
    found = identity(volume)
    return "" if found is None else f"{found[1]} {found[2]}"
