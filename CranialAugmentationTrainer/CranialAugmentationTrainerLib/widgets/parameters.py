"""All that the Trainer's panel holds, typed, kept in the scene by one parameter node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from slicer.parameterNodeWrapper import Minimum, parameterNodeWrapper, parameterPack

if TYPE_CHECKING:

    class _Decorated:
        """What Slicer's decorators add, for the type checker."""

        parameterNode: Any

        def __init__(self, *parts: Any) -> None: ...

        def connectParametersToGui(self, widgets: Any) -> int: ...

        def disconnectGui(self, tag: int) -> None: ...

        def Modified(self) -> None: ...
else:
    _Decorated = object


@parameterPack
class SetUpChoices(_Decorated):
    """A run that is being set up."""

    name: str = ""


@parameterPack
class WatchChoices(_Decorated):
    """What is shown of the runs."""

    previews: bool = True


@parameterPack
class SetChoices(_Decorated):
    """A set that is made."""

    count: Annotated[int, Minimum(1)] = 200


@parameterPack
class LatentChoices(_Decorated):
    """A latent space that is looked at."""

    steps: Annotated[int, Minimum(2)] = 24


@parameterPack
class ComparisonChoices(_Decorated):
    """Networks that are held against each other."""

    folder: Path


@parameterNodeWrapper
class TrainerParameters(_Decorated):
    """Every choice of the panel.

    Attributes:
        set_up, watch, sets, latent, comparison: of the pages.
    """

    set_up: SetUpChoices
    watch: WatchChoices
    sets: SetChoices
    latent: LatentChoices
    comparison: ComparisonChoices
