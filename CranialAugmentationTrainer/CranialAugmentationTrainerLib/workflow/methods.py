"""Every method that can be trained, by family: what it is good for, and what its papers report of it."""

from __future__ import annotations

from dataclasses import dataclass

# Dice of the missing bone on SkullBreak's test cases (REFERENCE section 7).
W24, K23 = "W24", "K23"
BESIDE = {W24: (0.843, "without augmentation"), K23: (0.742, "on 570 real cases")}


@dataclass(frozen=True)
class Figure:
    """Dice of the missing bone on SkullBreak's test set, of a network that learned with this method's help.

    Attributes:
        paper: "K23" (Kwarciak & Wodzinski, ICCVW 2023) or "W24" (Wodzinski et al., arXiv 2406.06372).
        dice: as published.
        how: what that network learned from.
    """

    paper: str
    dice: float
    how: str

    def __str__(self) -> str:
        beside, how = BESIDE[self.paper]
        return f"{self.paper} {self.dice:.3f} {self.how}, {beside:.3f} {how}"


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes:
        name: as ``cranial train`` takes it.
        title: as papers write it.
        family: that it belongs to.
        good_for: one line.
        figures: of the papers; empty where none is published.
        autoencoder: method of the run that this one can be built on; empty for those that stand alone.
    """

    name: str
    title: str
    family: str
    good_for: str
    figures: tuple[Figure, ...] = ()
    autoencoder: str = ""

    @property
    def published(self) -> str:
        """The papers' figures in words."""
        if not self.figures:
            return "No figure is published."
        return "SkullBreak Dice: " + "; ".join(map(str, self.figures)) + "."


def _w24(dice: float, how: str = "with its cases added") -> Figure:
    return Figure(W24, dice, how)


def _k23(dice: float) -> Figure:
    return Figure(K23, dice, "on 40,000 synthetic cases")


ALL = (
    Method(
        "vae",
        "VAE",
        "Autoencoders",
        "Steady and quick to learn; the skulls are smooth and a little blurred. A good first run.",
        (_w24(0.892), _k23(0.728)),
    ),
    Method(
        "wgan-gp",
        "WGAN-GP",
        "Adversarial",
        "Crisp skulls of great variety, at the price of long training; needs no encoder and gives none.",
        (_w24(0.883), _k23(0.796)),
    ),
    Method(
        "vae-wgan-gp",
        "VAE/WGAN-GP",
        "Adversarial",
        "A GAN that starts from a VAE: useful with few synthetic cases, and steadier at the start.",
        (_k23(0.782),),
    ),
    Method(
        "introvae",
        "IntroVAE",
        "Introspective",
        "An autoencoder that is its own critic: sharper than a VAE, but its margin has to fit the data.",
        (_w24(0.890), _k23(0.751)),
    ),
    Method(
        "softintrovae",
        "SoftIntroVAE",
        "Introspective",
        "As IntroVAE without a margin to set; the best of those that learn in one piece.",
        (_w24(0.898),),
    ),
    Method(
        "vqvae",
        "VQVAE with a learned prior",
        "Quantised",
        "Sharp reconstructions from a codebook; its samples are as good as the prior over the codes.",
        (_w24(0.878),),
    ),
    Method(
        "ldm-vae",
        "Latent diffusion over a VAE",
        "Diffusion",
        "Varied, well-formed skulls from a trained VAE; slower to sample than all but its sister.",
        (_w24(0.889), _w24(0.940, "with geometric augmentation and registration too")),
        autoencoder="vae",
    ),
    Method(
        "ldm-vqvae",
        "Latent diffusion over a VQVAE",
        "Diffusion",
        "The papers' best: sharp and varied skulls, if there is time to train a VQVAE first.",
        (_w24(0.924), _w24(0.949, "with geometric augmentation and registration too")),
        autoencoder="vqvae",
    ),
    Method(
        "reconstruction",
        "Reconstruction network",
        "Reconstruction",
        "Finds the missing bone of a skull: what all the others make cases for.",
        (_w24(0.949, "with all of its augmentation"),),
    ),
)
METHODS = {method.name: method for method in ALL}
# Those that make skulls.
GENERATORS = METHODS.keys() - {"reconstruction"}
# Preset -> what it is for.
PRESETS = {
    "k23": "K23's sizes, 128 voxels an edge: for a GPU.",
    "w24": "W24's sizes, 256 voxels an edge: for a large GPU, and much time.",
    "small": "64 voxels an edge: runs on two processor cores.",
    "tiny": "16 voxels an edge: only to try whether everything works.",
}
FAMILIES = tuple(dict.fromkeys(method.family for method in ALL))
