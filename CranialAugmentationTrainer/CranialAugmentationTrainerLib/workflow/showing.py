"""What a watched run has written, in the scene: its curves, and its previews one after another."""

from __future__ import annotations

from typing import Any

from CranialAugmentationTrainerLib.scene.loss_curves import Curves, show_run
from CranialAugmentationTrainerLib.scene.preview_surfaces import previews_of, show_previews
from CranialAugmentationTrainerLib.scene.sequences import frame_note, frame_values
from CranialAugmentationTrainerLib.workflow.event_file import identity
from CranialAugmentationTrainerLib.workflow.run_watch import Curve, Preview, RunWatch


def show_curves(trainer: Any, watch: RunWatch) -> None:
    """Bring the run's curves up to date; worth a call when ``poll`` has told of something new."""
    show_run(trainer, str(watch.folder), watch.folder.name, _curves(watch.losses), _curves(watch.figures))


def show_next_preview(trainer: Any, watch: RunWatch) -> bool:
    """Show one preview that is not in the scene yet, the newest first; False if there is none.

    One takes a tenth of a second: a timer that calls this shows them all while the window stays alive.

    Raises:
        UserError: its volumes cannot be read.
    """
    key = str(watch.folder)
    browser = previews_of(trainer, key)
    known = {} if browser is None else {step: frame_note(browser, n) for n, step in enumerate(frame_values(browser))}
    for preview in reversed(watch.run.previews):
        state = _state(preview)
        if preview.volumes and state and known.get(float(preview.step)) != state:
            show_previews(trainer, key, watch.folder.name, preview.step, preview.volumes, state)
            return True
    return False


def _curves(curves: dict[str, Curve]) -> Curves:
    return {name: (curve.steps, curve.values) for name, curve in curves.items()}


def _state(preview: Preview) -> str:
    """Another word for a preview that was written again, as by a resumed run; empty if it is gone from disk."""
    first = identity(preview.volumes[0]) if preview.volumes else None
    return "" if first is None else f"{first[1]} {first[2]}"
