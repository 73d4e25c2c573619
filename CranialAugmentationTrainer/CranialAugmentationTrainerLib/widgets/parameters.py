"""All that the Trainer's panel holds, typed, kept in the scene by one parameter node."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

# The wrapper resolves annotations when the class is made, so the names of nodes stand here.
from slicer import vtkMRMLPlotChartNode, vtkMRMLSequenceBrowserNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Maximum, Minimum, WithinRange, parameterNodeWrapper, parameterPack

from CranialReconstructionLib.widgets.parameters import Decorated, Device


class ComparedPart(enum.Enum):
    """Skulls that a run keeps apart from training."""

    validation = "validation"
    test = "test"

    def label(self) -> str:
        """As the panel shows it."""
        return {ComparedPart.validation: _("validation skulls"), ComparedPart.test: _("test skulls")}[self]


@parameterPack
class SetUpChoices(Decorated):
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
class WatchChoices(Decorated):
    """What is shown of the runs.

    Attributes:
        run: folder of the one that is selected.
        shown: folders of those whose curves are drawn, as JSON.
        previews: whether the selected one's skulls are shown.
    """

    run: str = ""
    shown: str = "[]"
    previews: bool = True


class SetKind(enum.Enum):
    """What a set is made by, and the command that makes it."""

    synthetic = "generate"
    registered = "register-pairs"
    masked = "mask-defects"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            SetKind.synthetic: _("Synthetic cases from a generator"),
            SetKind.registered: _("Skulls warped towards one another"),
            SetKind.masked: _("Defects cut out of skulls"),
        }[self]


class Sampling(enum.Enum):
    """Where latents come from: as ``cranial generate`` names it."""

    sd = "sd"
    ud = "ud"
    uds = "uds"
    ball = "uds literal"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            Sampling.sd: _("SD: standard normal"),
            Sampling.ud: _("UD: uniform"),
            Sampling.uds: _("UDS: evenly spread quantiles"),
            Sampling.ball: _("UDS, literally: a ball divided evenly"),
        }[self]


class VolumeFile(enum.Enum):
    """Format of label volumes."""

    nrrd = ".nrrd"
    nifti = ".nii.gz"

    def label(self) -> str:
        """As the panel shows it."""
        return {VolumeFile.nrrd: _("NRRD"), VolumeFile.nifti: _("NIfTI")}[self]


class Moves(enum.Enum):
    """Geometric augmentation of a set's cases: W24's presets."""

    none = ""
    basic = "basic"
    heavy = "heavy"
    extreme = "extreme"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            Moves.none: _("None"),
            Moves.basic: _("Basic: flips and small moves"),
            Moves.heavy: _("Heavy: crops, larger moves, noise"),
            Moves.extreme: _("Extreme"),
        }[self]


class Cuts(enum.Enum):
    """How defects are cut."""

    mixed = "mixed"
    sharp = "sharp"
    smooth = "smooth"

    def label(self) -> str:
        """As the panel shows it."""
        return {Cuts.mixed: _("Sharp and smooth"), Cuts.sharp: _("Sharp"), Cuts.smooth: _("Smooth")}[self]


class CutPlace(enum.Enum):
    """Where defects are cut."""

    anywhere = ""
    front = "front"
    back = "back"
    top = "top"
    left = "left"
    right = "right"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            CutPlace.anywhere: _("All over the vault"),
            CutPlace.front: _("In front"),
            CutPlace.back: _("At the back"),
            CutPlace.top: _("At the top"),
            CutPlace.left: _("On the patient's left"),
            CutPlace.right: _("On the patient's right"),
        }[self]


@parameterPack
class SetChoices(Decorated):
    """A set that is made.

    Attributes:
        kind, folder, known, shown: what makes it; where it lies; folders of the sets that are listed, as JSON;
            whether it is shown in the 3D view.
        count, seed, workers, file, device: of all kinds.
        generator to joined_defect: of synthetic cases.
        data to moves: of the two other kinds.
        alpha, states, keep_pairs: of warped skulls.
        cuts to settings: of cut ones; ``settings`` are further ones, between semicolons.
        statistics, reference: whether a set is measured when it ends, and beside what; empty for the skulls that it
            was made from.
    """

    kind: SetKind = SetKind.synthetic
    folder: Path
    known: str = "[]"
    shown: bool = False
    count: Annotated[int, Minimum(1), Maximum(1000000)] = 200
    seed: Annotated[int, Minimum(0), Maximum(999999)] = 0
    workers: Annotated[int, Minimum(1), Maximum(256)] = 1
    file: VolumeFile = VolumeFile.nrrd
    device: Device = Device.auto
    generator: Path
    sampling: Sampling = Sampling.sd
    batch: Annotated[int, Minimum(1), Maximum(256)] = 1
    keep_all: bool = False
    least_skull: Annotated[float, WithinRange(0.0, 1.0)] = 0.004
    most_skull: Annotated[float, WithinRange(0.0, 1.0)] = 0.2
    main_skull: Annotated[float, WithinRange(0.0, 1.0)] = 0.9
    joined_defect: Annotated[float, WithinRange(0.0, 1.0)] = 0.9
    data: Path
    split: Path
    spacing: Annotated[float, WithinRange(0.5, 16.0)] = 2.0
    moves: Moves = Moves.none
    alpha: Annotated[float, WithinRange(0.0, 1000000.0)] = 12500.0
    states: Annotated[int, Minimum(1), Maximum(200)] = 1
    keep_pairs: bool = True
    cuts: Cuts = Cuts.mixed
    own_size: bool = False
    radius: Annotated[float, WithinRange(1.0, 80.0)] = 28.0
    deviation: Annotated[float, WithinRange(0.0, 40.0)] = 8.0
    place: CutPlace = CutPlace.anywhere
    settings: str = ""
    statistics: bool = True
    reference: Path


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
class LatentChoices(Decorated):
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
class ComparisonChoices(Decorated):
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
class TrainerParameters(Decorated):
    """Every choice of the panel.

    Attributes:
        set_up, watch, sets, latent, comparison: of the pages.
    """

    set_up: SetUpChoices
    watch: WatchChoices
    sets: SetChoices
    latent: LatentChoices
    comparison: ComparisonChoices
