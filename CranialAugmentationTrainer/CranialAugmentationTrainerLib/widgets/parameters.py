"""All that the Trainer's panel holds, typed, kept in the scene by one parameter node."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

# The wrapper resolves annotations when the class is made, so the names of nodes stand here.
from slicer import vtkMRMLPlotChartNode, vtkMRMLSequenceBrowserNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Maximum, Minimum, parameterNodeWrapper, parameterPack

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


class ComparedPart(enum.Enum):
    """Skulls that a run keeps apart from training."""

    validation = "validation"
    test = "test"

    def label(self) -> str:
        """As the panel shows it."""
        return {ComparedPart.validation: _("validation skulls"), ComparedPart.test: _("test skulls")}[self]


@parameterPack
class SetUpChoices(_Decorated):
    """A run that is being set up; paths as texts, empty where none is chosen.

    Attributes:
        name: of its folder.
        parent: that it lies in.
        data: folders, one a line.
        changes: settings that depart from the preset, as JSON.
    """

    name: str = ""
    parent: str = ""
    data: str = ""
    method: str = "vae"
    preset: str = "small"
    augment: str = "none"
    changes: str = "{}"
    autoencoder: str = ""
    cache: str = ""
    split: str = ""


@parameterPack
class WatchChoices(_Decorated):
    """What is shown of the runs.

    Attributes:
        run: folder of the one that is selected.
        shown: folders of those whose curves are drawn, as JSON.
        previews: whether the selected one's skulls are shown.
    """

    run: str = ""
    shown: str = "[]"
    previews: bool = True


@parameterPack
class SetChoices(_Decorated):
    """A set that is made."""

    count: Annotated[int, Minimum(1)] = 200


class Embedding(enum.Enum):
    """How a latent space becomes a picture: as ``cranial embed`` names it."""

    tsne = "tsne"
    umap = "umap"

    def label(self) -> str:
        """As the panel shows it."""
        return {Embedding.tsne: _("t-SNE"), Embedding.umap: _("UMAP")}[self]


class Way(enum.Enum):
    """How a way goes from one latent to another: as ``cranial interpolate`` names it."""

    spherical = "spherical"
    linear = "linear"

    def label(self) -> str:
        """As the panel shows it."""
        return {Way.spherical: _("On an arc"), Way.linear: _("On a line")}[self]


@parameterPack
class LatentChoices(_Decorated):
    """A latent space that is looked at.

    Attributes:
        generator: folder of a run or a package.
        folder: for results; empty for one beside the runs.
        sources: data sets that are drawn, as ``workflow.latent_orders`` writes them.
        method, most, seed: of the picture.
        plot: the picture that is shown.
        first, last: ends of the way, as ``cranial interpolate`` takes them.
        steps, way: of the interpolation.
        journey: the way that is shown.
    """

    generator: Path
    folder: Path
    sources: str = "[]"
    method: Embedding = Embedding.tsne
    most: Annotated[int, Minimum(1), Maximum(100000)] = 500
    seed: Annotated[int, Minimum(0), Maximum(999999)] = 0
    plot: vtkMRMLPlotChartNode
    first: str = "0"
    last: str = "1"
    steps: Annotated[int, Minimum(2), Maximum(200)] = 24
    way: Way = Way.spherical
    journey: vtkMRMLSequenceBrowserNode


@parameterPack
class ComparisonChoices(_Decorated):
    """Networks that are held against each other.

    Attributes:
        runs: folders of those that are ticked, as JSON.
        data: the skulls that they are measured on.
        part: of the runs' split.
        own_resolution: whether the skulls' files are reconstructed too.
        folder: gets the results.
        network: that is installed; empty for the best.
        package, licence, words: name, licence and training data of what is installed.
        replace: whether a model of that name gives way.
    """

    runs: str = "[]"
    data: Path
    part: ComparedPart = ComparedPart.validation
    own_resolution: bool = True
    folder: Path
    network: str = ""
    package: str = ""
    licence: str = ""
    words: str = ""
    replace: bool = False


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
