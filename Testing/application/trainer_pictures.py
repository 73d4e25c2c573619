"""Takes the README's pictures of the Trainer, a page each, in a desktop Slicer.

    Slicer --no-splash --additional-module-paths $PWD/CranialReconstruction $PWD/CranialAugmentationTrainer \\
        --python-script Testing/application/trainer_pictures.py DATA WORK FOLDER

DATA is a folder of skulls. WORK holds what was made of it before: ``runs`` (runs of ``cranial train``, among them
``vae``), ``vae-set`` (of ``cranial generate``), ``embedding`` (of ``cranial embed``), ``way`` (of ``cranial
interpolate``), and ``comparison`` (of ``cranial compare-networks``). The computing is done as for the tests
(``run.py``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import slicer

sys.path.insert(0, str(Path(__file__).resolve().parent))

from trainer_case import TrainerCase

SIZE = (1360, 900)


class Tutorial(TrainerCase):
    """The pages, with a picture of each."""

    def take(self, data: Path, work: Path, folder: Path) -> None:
        """All of them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.setUp()
        slicer.util.mainWindow().resize(*SIZE)
        slicer.util.setDataProbeVisible(False)
        self.session.forget_folder(self.runs)
        self.runs = work / "runs"
        self.session.keep_folder(self.runs)
        self.set_up(data, folder)
        self.watch(folder)
        self.sets(work, folder)
        self.latent(work, folder)
        self.comparison(data, work, folder)

    def set_up(self, data: Path, folder: Path) -> None:
        """A run that is set up, its data looked through."""
        page = self.panel.set_up
        self.only(page)
        page.choose(data=(data,), method="vae", preset="small", parent=self.folder / "new", name="vae")
        self.press(page, "checkDataButton")
        self.done()
        self.shoot("set-up", folder)

    def watch(self, folder: Path) -> None:
        """Curves of two runs and skulls of one."""
        self.only(self.panel.runs, self.panel.watch)
        for name in ("vae", "vqvae"):
            self.tick(name)
        self.select("vae")
        self.press(self.panel.watch, "plotButton")
        self.settle(lambda: "previews up to" in self.panel.watch.ui.previewText.text, 6.0)
        self.shoot("watch", folder)

    def sets(self, work: Path, folder: Path) -> None:
        """A set in rows, and its statistics."""
        page = self.panel.sets
        self.only(page)
        page.choose(work / "vae-set")
        self.parameters.sets.shown = True
        self.settle(lambda: True, 25.0)
        self.shoot("sets", folder)

    def latent(self, work: Path, folder: Path) -> None:
        """Real and synthetic skulls as points, and a way between two."""
        self.parameters.sets.shown = False
        page = self.panel.latent
        self.only(page)
        self.parameters.latent.generator = self.runs / "vae"
        page.show_embedding(work / "embedding")
        page.way.show_way(work / "way", "vae: seed 0 to seed 3")
        page.way.ui.shareSlider.value = 0.5
        self.settle(lambda: True, 4.0)
        self.shoot("latent-space", folder)

    def comparison(self, data: Path, work: Path, folder: Path) -> None:
        """Two networks held against each other."""
        page = self.panel.comparison
        self.only(page)
        self.parameters.comparison.data = data
        self.parameters.comparison.folder = work / "comparison"
        self.settle(lambda: page.ui.linesTable.rowCount > 0, 2.0)
        self.shoot("comparison", folder)

    def only(self, *pages: object) -> None:
        """Unfold these pages, and fold all others."""
        for page in self.panel.pages:
            page.ui.pageButton.collapsed = page not in pages

    def settle(self, condition: object, seconds: float) -> None:
        """Wait for something, and then until all is drawn."""
        self.wait(condition)
        self.wait_quietly(seconds)

    def shoot(self, name: str, folder: Path) -> None:
        """A picture of the whole window."""
        self.wait_quietly(2.0)
        slicer.util.mainWindow().grab().save(str(folder / f"trainer-{name}.png"))


if __name__ == "__main__":
    tutorial = Tutorial()
    tutorial.run_and_exit(
        lambda: tutorial.take(*(Path(word).absolute() for word in sys.argv[1:] if not word.startswith("-")))
    )
