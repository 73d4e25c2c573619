"""What the choices of the sets' page ask for, as the workflow takes it."""

from __future__ import annotations

from pathlib import Path

from CranialAugmentationTrainerLib.widgets.parameters import SetChoices, SetKind
from CranialAugmentationTrainerLib.workflow.set_actions import StatisticsOrder, usual_statistics
from CranialAugmentationTrainerLib.workflow.set_orders import (
    MaskedOrder,
    RegisteredOrder,
    SetOrder,
    Skulls,
    SyntheticOrder,
    cuts_at,
    cuts_of_size,
)
from CranialReconstructionLib.errors import UserError


def order_of_choices(choices: SetChoices) -> SetOrder:
    """The set that is asked for.

    Raises:
        UserError: as of the orders.
    """
    if choices.kind == SetKind.synthetic:
        return _synthetic(choices)
    if choices.kind == SetKind.registered:
        return registered_of(choices, choices.keep_pairs)
    return _masked(choices)


def registered_of(choices: SetChoices, keep_pairs: bool) -> RegisteredOrder:
    """The pairs that are asked for.

    Raises:
        UserError: as of the order.
    """
    return RegisteredOrder(_skulls(choices), choices.alpha, choices.states, keep_pairs, choices.device.value)


def folder_of(choices: SetChoices) -> Path:
    """Where the set lies.

    Raises:
        UserError: no folder is chosen.
    """
    if choices.folder == Path():
        raise UserError("no folder is chosen", where="set", remedy="Choose where the set goes.")
    return choices.folder.absolute()


def statistics_of_choices(choices: SetChoices, made: Path) -> StatisticsOrder:
    """How a set is measured: beside the skulls that are chosen, or those that it was made from.

    Raises:
        UserError: the chosen ones are not there.
    """
    if choices.reference == Path():
        return usual_statistics(made)
    return StatisticsOrder(made, choices.reference.absolute())


def _synthetic(choices: SetChoices) -> SyntheticOrder:
    strategy, _space, form = choices.sampling.value.partition(" ")
    return SyntheticOrder(
        choices.generator,
        choices.count,
        strategy,
        form or SyntheticOrder.form,
        choices.seed,
        choices.keep_all,
        {name: getattr(choices, name) for name in ("least_skull", "most_skull", "main_skull", "joined_defect")},
        choices.file.value,
        choices.workers,
        choices.batch,
        choices.device.value,
    )


def _masked(choices: SetChoices) -> MaskedOrder:
    settings = [setting.strip() for setting in choices.settings.split(";") if setting.strip()]
    size = cuts_of_size(choices.radius, choices.deviation) if choices.own_size else ()
    place = cuts_at(choices.place.value) if choices.place.value else ()
    return MaskedOrder(_skulls(choices), choices.cuts.value, (*size, *place, *settings))


def _skulls(choices: SetChoices) -> Skulls:
    return Skulls(
        choices.data,
        choices.count,
        choices.seed,
        choices.moves.value,
        None if choices.split == Path() else choices.split,
        choices.spacing,
        choices.file.value,
        # One process is the command's own.
        choices.workers if choices.workers > 1 else 0,
    )
