"""Frames a second, by the clock, of the panel's slider along a way through a latent space, in a desktop Slicer.

    Slicer --no-splash --additional-module-paths $PWD/CranialReconstruction $PWD/CranialAugmentationTrainer \\
        --python-script Testing/application/slider_speed.py WAY

WAY is a folder that ``cranial interpolate`` wrote. What draws is printed too: a graphics card, or software.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import slicer

sys.path.insert(0, str(Path(__file__).resolve().parent))

from trainer_case import TrainerCase

from CranialAugmentationTrainerLib.scene.sequences import frame_values

MOVES = 60
SECONDS = 5.0


class SliderSpeed(TrainerCase):
    """The slider, moved as fast as the view follows, and the way played."""

    def measure(self, folder: Path) -> None:
        """Print both."""
        self.setUp()
        page = self.panel.latent
        page.unfold()
        page.way.show_way(folder, folder.name)
        # Views simplify what they draw too slowly, once they know how slowly that is.
        self.wait_quietly(2.0)
        view = slicer.app.layoutManager().threeDWidget(0).threeDView()
        drawn_by = view.renderWindow().ReportCapabilities().splitlines()[1].partition(":")[2].strip()
        browser = self.parameters.latent.journey
        last = len(frame_values(browser)) - 1
        print(f"{view.width} x {view.height} pixels, {last + 1} frames, drawn by {drawn_by}")
        begun = time.monotonic()
        for number in range(MOVES):
            page.way.ui.shareSlider.value = abs(number % (2 * last) - last) / last
            slicer.app.processEvents()
        print(f"following the slider: {MOVES / (time.monotonic() - begun):.1f} frames a second")
        page.way.ui.rateBox.value = 60.0
        page.way.ui.playButton.click()
        begun, changes, shown = time.monotonic(), 0, browser.GetSelectedItemNumber()
        while time.monotonic() - begun < SECONDS:
            slicer.app.processEvents()
            changes += browser.GetSelectedItemNumber() != shown
            shown = browser.GetSelectedItemNumber()
        page.way.ui.playButton.click()
        print(f"playing: {changes / SECONDS:.1f} frames a second", flush=True)


if __name__ == "__main__":
    speed = SliderSpeed()
    speed.run_and_exit(
        lambda: speed.measure(Path(next(word for word in sys.argv[1:] if not word.startswith("-"))).absolute())
    )
