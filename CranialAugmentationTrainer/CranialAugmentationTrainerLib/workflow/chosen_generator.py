"""A generator that is chosen to work with: a run, or a package of one. Nothing of it is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from CranialAugmentationTrainerLib.cli.interpolate import SEEDS_ONLY
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.workflow.methods import GENERATORS, METHODS
from CranialReconstructionLib.errors import UserError

# As ``synthesis.generator_package`` writes it, which loads torch.
MANIFEST, KIND = "manifest.json", "generator"


@dataclass(frozen=True)
class ChosenGenerator:
    """What its folder tells.

    Attributes:
        folder: of the run or of the package.
        method: one of ``workflow.methods``.
        data: folders that a run learned from; empty for a package.
    """

    folder: Path
    method: str
    data: tuple[Path, ...] = ()

    @property
    def encodes(self) -> bool:
        """Whether it has an encoder, so that real cases have a place in its latent space."""
        return self.method not in SEEDS_ONLY

    @property
    def title(self) -> str:
        """For a person."""
        return METHODS[self.method].title

    def require_encoder(self) -> None:
        """Go on only where there is one.

        Raises:
            UserError: there is none.
        """
        if not self.encodes:
            raise UserError(
                f"{self.title} has no encoder: cases have no place in its latent space",
                where=str(self.folder),
                remedy="Interpolate between seeds, or choose another method's run, such as a VAE's.",
            )


def chosen_generator(folder: Path) -> ChosenGenerator:
    """The generator in ``folder``.

    Raises:
        UserError: nothing is chosen, it is neither a run nor a generator's package, or the run makes no skulls or
            has no checkpoint yet.
    """
    if folder == Path():
        raise UserError("no generator is chosen", where="generator", remedy="Choose a run, or a generator's package.")
    if (folder / MANIFEST).is_file():
        return ChosenGenerator(folder, _method_of_package(folder))
    if not (folder / "run.json").is_file():
        raise UserError(
            "neither a run nor a generator's package",
            where=str(folder),
            remedy="Choose the folder of a run of `cranial train`, or of `cranial package-generator`.",
        )
    run = RunFolder(folder)
    method = _known(run.read_configuration().get("method"), folder)
    if not run.checkpoint.is_file():
        raise UserError("the run has no checkpoint yet", where=str(folder), remedy="Wait until it has written one.")
    return ChosenGenerator(folder, method, tuple(run.data_folders()))


def _method_of_package(folder: Path) -> str:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        kind, method = manifest.get("kind"), manifest.get("method")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError("the package has no readable manifest", where=str(path), remedy="Get it again.") from error
    if kind != KIND:
        raise UserError(
            "this is not a generator's package", where=str(folder), remedy="Choose one of `cranial package-generator`."
        )
    return _known(method, folder)


def _known(method: object, folder: Path) -> str:
    if not isinstance(method, str) or method not in GENERATORS:
        raise UserError(
            "what it trains makes no skulls", where=str(folder), remedy="Choose the run of a generative method."
        )
    return method
