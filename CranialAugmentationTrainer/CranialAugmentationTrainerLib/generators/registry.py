"""The methods by name; a method's file is read when it is built."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from CranialAugmentationTrainerLib.generators.parameters import Settings
from CranialAugmentationTrainerLib.generators.settings import parse_settings, settings_class
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.generators.method import Generator

# File and class of each method.
METHODS = {
    "vae": ("vae", "Vae"),
    "wgan-gp": ("wgan_gp", "WganGp"),
    "vae-wgan-gp": ("vae_wgan_gp", "VaeWganGp"),
    "introvae": ("introvae", "IntroVae"),
    "softintrovae": ("softintrovae", "SoftIntroVae"),
    "vqvae": ("vqvae", "VqVae"),
    "ldm-vae": ("ldm_vae", "LdmVae"),
    "ldm-vqvae": ("ldm_vqvae", "LdmVqVae"),
}


def build(method: str, settings: Settings | Mapping[str, Any]) -> Generator:
    """A method with fresh weights, from its settings or from what ``run.json`` holds of them.

    Raises:
        UserError: no such method; settings that are not its.
    """
    kind = settings_class(method)
    if isinstance(settings, Mapping):
        settings = parse_settings(method, settings, "settings")
    if type(settings) is not kind:
        raise UserError(
            f"{type(settings).__name__} are not the settings of {method}",
            where="generator settings",
            remedy=f"Give {kind.__name__}.",
        )
    file, name = METHODS[method]
    generator: Generator = getattr(import_module(f"{__package__}.{file}"), name)(settings)
    return generator
