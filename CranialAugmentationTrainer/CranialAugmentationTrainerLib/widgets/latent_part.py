"""What the parts of the page of a latent space have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.widgets.front_view import FrontView
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.latent_orders import new_folder
from CranialReconstructionLib.errors import UserError


class LatentPart(TrainerPage):
    """A part of the page, or the page itself.

    Attributes:
        view: that the skulls are shown in.
    """

    def __init__(self, session: TrainerSession, view: FrontView) -> None:
        super().__init__(session)
        self.view = view

    @property
    def latent(self) -> Any:
        """The choices of the page.

        Raises:
            UserError: there is no scene.
        """
        if self.session.parameters is None:
            raise UserError("there is no scene", where="panel", remedy="Open the module first.")
        return self.session.parameters.latent

    def results(self, stem: str) -> Path:
        """A new folder for results, where the user wants them."""
        parent = self.latent.folder
        if parent == Path():
            parent = self.session.runs.folders[0] / "Latent space"
        return new_folder(parent, stem)
