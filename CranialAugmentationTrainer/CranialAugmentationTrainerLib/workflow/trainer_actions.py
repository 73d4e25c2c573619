"""Every action of the Trainer's panel as one line, for Slicer's Python console and for scripts.

The other modules are imported when an action is called: the module's file, which Slicer reads at its start, takes its
logic from here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.study.comparison import Comparison
    from CranialAugmentationTrainerLib.workflow.commands import Command
    from CranialAugmentationTrainerLib.workflow.comparing import InstallOrder
    from CranialAugmentationTrainerLib.workflow.data_check import DataCheck
    from CranialAugmentationTrainerLib.workflow.latent_orders import EmbeddingOrder, InterpolationOrder
    from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch, WatchedRun
    from CranialAugmentationTrainerLib.workflow.set_orders import SetOrder
    from CranialAugmentationTrainerLib.workflow.set_watch import WatchedSet

# Between two looks at what is waited for.
LOOK_SECONDS = 0.2


class TrainerActions:
    """The actions. Runs are known by their folders and go on by themselves; whoever wants their end waits for it.

    Whoever inherits gives the node that owns what is shown, the Python that computes, and what keeps an application
    alive meanwhile. Errors are ``UserError``, with what to do in their texts.
    """

    def trainer_node(self) -> Any:
        """The parameter node that owns what is shown in the scene."""
        raise AttributeError("who inherits gives the node")

    def python(self) -> Path | None:
        """The Python that computes; None for this process's own."""
        return None

    def turn(self) -> None:
        """Called several times a second while something is waited for."""

    def start_run(
        self,
        method: str,
        data: Sequence[str | Path],
        folder: str | Path,
        preset: str = "small",
        settings: Sequence[str] = (),
        **options: Any,
    ) -> RunWatch:
        """Begin a run in a process of its own, which goes on when Slicer is closed.

        Args:
            method: "vae", "wgan-gp", "vae-wgan-gp", "introvae", "softintrovae", "vqvae", "ldm-vae", "ldm-vqvae" or
                "reconstruction".
            data: folders of data sets, real or synthetic, mixed.
            folder: of the run, a new one.
            settings: "key=value", as ``cranial train --set`` takes them.
            options: of ``workflow.run_order.RunOrder``: augment, split, autoencoder, cache.
        """
        from CranialAugmentationTrainerLib.workflow.local_runs import start_run
        from CranialAugmentationTrainerLib.workflow.run_order import RunOrder
        from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch

        folders = tuple(Path(path).absolute() for path in data)
        order = RunOrder(method, folders, preset, tuple(settings), **options)
        start_run(order, Path(folder).absolute(), self.python())
        return RunWatch(Path(folder).absolute())

    def runs(self, folder: str | Path) -> tuple[WatchedRun, ...]:
        """The runs in a folder, as they stand now."""
        from CranialAugmentationTrainerLib.workflow.run_watch import RunsWatch

        return RunsWatch([Path(folder).absolute()]).runs

    def wait_for_run(self, folder: str | Path) -> WatchedRun:
        """A run as it stands when nobody trains it any more."""
        from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch

        watch = RunWatch(Path(folder).absolute())
        while watch.run.under_way:
            self._pause()
            watch.poll()
        return watch.run

    def stop_run(self, folder: str | Path) -> WatchedRun:
        """Stop a run, with a checkpoint; as it stands then."""
        from CranialAugmentationTrainerLib.workflow.local_runs import stop_run

        stop_run(Path(folder).absolute())
        return self.wait_for_run(folder)

    def resume_run(self, folder: str | Path, steps: int | None = None) -> RunWatch:
        """Go on with a run from its last checkpoint; ``steps`` is its last step from now on (of generators)."""
        from CranialAugmentationTrainerLib.workflow.local_runs import resume_run
        from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch

        resume_run(Path(folder).absolute(), python=self.python(), steps=steps)
        return RunWatch(Path(folder).absolute())

    def duplicate_run(self, folder: str | Path, into: str | Path, changes: Sequence[str] = ()) -> RunWatch:
        """Begin a run like another one, with ``changes`` ("key=value")."""
        from CranialAugmentationTrainerLib.workflow.local_runs import duplicate_run
        from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch

        duplicate_run(Path(folder).absolute(), Path(into).absolute(), changes, self.python())
        return RunWatch(Path(into).absolute())

    def show_run(self, folder: str | Path) -> Any:
        """Bring a run's curves and previews into the scene, all that are on disk; the chart of the curves."""
        from CranialAugmentationTrainerLib.scene.loss_curves import loss_chart
        from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch
        from CranialAugmentationTrainerLib.workflow.showing import show_curves, show_next_preview

        watch, node = RunWatch(Path(folder).absolute()), self.trainer_node()
        show_curves(node, watch)
        while show_next_preview(node, watch):
            self.turn()
        return loss_chart(node)

    def check_data(self, data: Sequence[str | Path], folder: str | Path) -> DataCheck:
        """What is in some data sets, and a picture of nine cases; both are written into ``folder``."""
        from CranialAugmentationTrainerLib.workflow.data_check import check_words, read_data_check

        output = Path(folder).absolute()
        self._run("Check the data", output, check_words([Path(path).absolute() for path in data], output))
        return read_data_check(output)

    def make_set(self, order: SetOrder, folder: str | Path) -> WatchedSet:
        """Make a set, or go on with it; how it stands at the end.

        Args:
            order: of ``workflow.set_orders``: ``SyntheticOrder``, ``RegisteredOrder`` or ``MaskedOrder``.
        """
        from CranialAugmentationTrainerLib.workflow.set_actions import start_set
        from CranialAugmentationTrainerLib.workflow.set_watch import SetWatch

        path = Path(folder).absolute()
        self._wait(start_set(order, path, python=self.python()))
        watch = SetWatch(path)
        while watch.poll():
            self.turn()
        return watch.set

    def measure_set(self, made: str | Path, reference: str | Path | None = None) -> Any:
        """Statistics of a set beside real skulls, those that it was made from by default; their table node."""
        from CranialAugmentationTrainerLib.workflow.set_actions import StatisticsOrder, usual_statistics
        from CranialAugmentationTrainerLib.workflow.set_showing import show_figures

        path = Path(made).absolute()
        order = usual_statistics(path) if reference is None else StatisticsOrder(path, Path(reference).absolute())
        self._run("Statistics", order.folder, order.words)
        return show_figures(self.trainer_node(), path)

    def embed(self, order: EmbeddingOrder, folder: str | Path) -> Any:
        """Real and synthetic cases as points of a latent space; the chart node.

        Args:
            order: of ``workflow.latent_orders``.
        """
        from CranialAugmentationTrainerLib.scene.latent_plot import show_embedding

        path = Path(folder).absolute()
        self._run("Latent space", path, order.words(path))
        return show_embedding(self.trainer_node(), path)

    def interpolate(self, order: InterpolationOrder, folder: str | Path) -> Any:
        """A way from A to B; the sequence browser node, whose frames are the steps.

        Args:
            order: of ``workflow.latent_orders``.
        """
        from CranialAugmentationTrainerLib.scene.interpolation import show_interpolation

        path = Path(folder).absolute()
        self._run(order.title, path, order.words(path))
        return show_interpolation(self.trainer_node(), path, order.title)

    def compare_networks(self, runs: Sequence[str | Path], data: str | Path, folder: str | Path) -> Comparison:
        """Reconstruction networks on the validation skulls that none of them has seen, best first in its tables."""
        from CranialAugmentationTrainerLib.study.comparison import read_comparison
        from CranialAugmentationTrainerLib.workflow.comparing import ComparisonOrder, show_comparison

        path = Path(folder).absolute()
        order = ComparisonOrder(tuple(Path(run).absolute() for run in runs), Path(data).absolute())
        self._run("Compare networks", path, order.words(path))
        found = read_comparison(path)
        show_comparison(self.trainer_node(), path, found)
        return found

    def install_network(self, order: InstallOrder, folder: str | Path) -> Path:
        """Make a model of a run's network in ``folder`` and install it: Cranial Reconstruction offers it then.

        Args:
            order: of ``workflow.comparing``.
        """
        package = Path(folder).absolute()
        self._run("Install the network", package.with_name(f"{package.name}-installation"), order.words(package))
        return package

    def _run(self, title: str, folder: Path, words: Sequence[str]) -> None:
        from CranialAugmentationTrainerLib.workflow.commands import begin

        self._wait(begin(title, folder, words, self.python()))

    def _wait(self, command: Command) -> None:
        """Wait for a command; what went wrong with it is raised."""
        while command.state == "working":
            self._pause()
        if command.state != "done":
            raise command.problem()

    def _pause(self) -> None:
        self.turn()
        time.sleep(LOOK_SECONDS)
