"""Settings of every method by name: presets, and the way to JSON and back.

``k23``: 128^3, the widths and the 200-d latent of K23; methods that it does not have get its sizes and
a volumetric latent. ``w24``: 256^3, volumetric latents (W24; widths ours). ``small``: 64^3, for two
cores (ours). ``tiny``: 16^3, for tests (ours).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from CranialAugmentationTrainerLib.generators.parameters import (
    AdamSettings,
    CodebookSettings,
    DenoiserSettings,
    IntroVaeSettings,
    LdmVaeSettings,
    LdmVqVaeSettings,
    NetworkSettings,
    PriorSettings,
    Settings,
    SoftIntroVaeSettings,
    VaeSettings,
    VaeWganGpSettings,
    VqVaeSettings,
    WganGpSettings,
)
from CranialReconstructionLib.errors import UserError

SETTINGS: dict[str, type[Settings]] = {
    "vae": VaeSettings,
    "wgan-gp": WganGpSettings,
    "vae-wgan-gp": VaeWganGpSettings,
    "introvae": IntroVaeSettings,
    "softintrovae": SoftIntroVaeSettings,
    "vqvae": VqVaeSettings,
    "ldm-vae": LdmVaeSettings,
    "ldm-vqvae": LdmVqVaeSettings,
}

SEPARATION = 0.1


def preset(method: str, name: str) -> Settings:
    """The settings that ``name`` stands for.

    Raises:
        UserError: no such method, no such preset.
    """
    kind = settings_class(method)
    if name not in _PRESETS:
        raise UserError(f"no preset {name!r}", where="--preset", remedy=f"Known: {', '.join(sorted(_PRESETS))}.")
    return _PRESETS[name](kind)


def settings_class(method: str) -> type[Settings]:
    """The class of a method's settings; ``UserError`` for a method that there is not."""
    if method not in SETTINGS:
        raise UserError(f"no method {method!r}", where="method", remedy=f"Known: {', '.join(SETTINGS)}.")
    return SETTINGS[method]


def settings_as_json(settings: Settings) -> dict[str, Any]:
    """All of it, for ``run.json``."""
    return asdict(settings)


def parse_settings(method: str, content: Mapping[str, Any], where: str) -> Settings:
    """Settings from what a JSON or TOML file holds; what it does not name has its default.

    Raises:
        UserError: an unknown key, a value of the wrong kind, values that do not go together.
    """
    settings: Settings = _parsed(settings_class(method), content, where)
    return settings


def _k23(kind: type[Settings]) -> Settings:
    return kind()


def _w24(kind: type[Settings]) -> Settings:
    sizes = NetworkSettings(
        side=256, widths=(32, 64, 128, 256), residual_units=1, groups=8, latent_size=0, latent_channels=8
    )
    # 32,768 latent numbers instead of 200 would otherwise outweigh the Dice loss; nor is their KL near
    # the margin of K23, so it is measured.
    return _sized(
        kind,
        sizes,
        kl_weight=1e-5,
        fake_kl_weight=1e-4,
        likelihood=1e5,
        margin=0.0,
        codebook=CodebookSettings(codes=1024),
    )


def _small(kind: type[Settings]) -> Settings:
    volumetric = issubclass(kind, VqVaeSettings | LdmVaeSettings | LdmVqVaeSettings)
    sizes = NetworkSettings(
        side=64,
        # The latents of a grid of 8 voxels an edge, not 4.
        widths=(16, 32, 64) if volumetric else (16, 32, 64, 128),
        latent_size=0 if volumetric else 128,
        latent_channels=4 if volumetric else 0,
    )
    adversarial = {"optimiser": AdamSettings(learning_rate=1e-3, betas=(0.5, 0.9))}
    return _sized(
        kind,
        sizes,
        **(adversarial if issubclass(kind, WganGpSettings) else {}),
        codebook=CodebookSettings(codes=64),
        prior=PriorSettings(width=32, layers=2),
        denoiser=DenoiserSettings(
            widths=(32, 64),
            attention=(False, True),
            average=0.99,
            optimiser=AdamSettings(learning_rate=1e-3),
        ),
        # A few hundred steps: a weaker pull to the prior and larger steps than the papers' thousands.
        kl_weight=5e-4,
        # Latents without noise of their own are learned by a denoiser in fewer steps.
        loose_kl_weight=1e-4,
        fake_kl_weight=0.2,
        likelihood=2000.0,
        margin=0.0,
        critic_steps=2,
        vae_steps=400,
        bridge_steps=400,
        warmup_steps=300,
        autoencoder_steps=400,
        measured_batches=16,
    )


def _tiny(kind: type[Settings]) -> Settings:
    volumetric = issubclass(kind, VqVaeSettings | LdmVaeSettings | LdmVqVaeSettings)
    sizes = NetworkSettings(
        side=16, widths=(8, 16), groups=4, latent_size=0 if volumetric else 12, latent_channels=2 if volumetric else 0
    )
    return _sized(
        kind,
        sizes,
        codebook=CodebookSettings(codes=16),
        prior=PriorSettings(width=8, layers=1),
        denoiser=DenoiserSettings(widths=(8, 16), attention=(False, True), groups=4, timesteps=20, inference_steps=5),
        margin=0.0,
        critic_steps=2,
        vae_steps=1,
        bridge_steps=1,
        warmup_steps=1,
        autoencoder_steps=1,
        measured_batches=1,
    )


_PRESETS: dict[str, Callable[[type[Settings]], Settings]] = {
    "k23": _k23,
    "w24": _w24,
    "small": _small,
    "tiny": _tiny,
}


def _sized(kind: type[Settings], sizes: NetworkSettings, **values: Any) -> Settings:
    """The defaults of ``kind`` with other sizes, with W24's channel separation, and with those of
    ``values`` that it has."""
    known = {entry.name for entry in fields(kind)}
    own = {"network": sizes, "separation": SEPARATION, **values}
    if issubclass(kind, LdmVaeSettings | LdmVqVaeSettings):
        below = VaeSettings if issubclass(kind, LdmVaeSettings) else VqVaeSettings
        # A diffusion model samples in place of the KL term, which only keeps the latents bounded.
        loose = {"autoencoder_steps": 0, "kl_weight": values.get("loose_kl_weight", 1e-6)}
        own["autoencoder"] = _sized(below, sizes, **{**values, **loose})
    return kind(**{name: value for name, value in own.items() if name in known})


_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _parsed(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type ``hint`` wants it."""
    if is_dataclass(hint):
        return _parsed_table(hint, value, where)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, list | tuple):
            raise UserError(f"{value!r} is not a list", where=where, remedy="Correct it.")
        wanted = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(wanted) != len(value):
            raise UserError(f"it must hold {len(wanted)} values", where=where, remedy="Correct it.")
        return tuple(_parsed(kind, entry, where) for kind, entry in zip(wanted, value, strict=True))
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise UserError(f"{value!r} is not a finite number", where=where, remedy="Correct it.")
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{value!r} is not {_KINDS[hint]}", where=where, remedy="Correct it.")
    return value


def _parsed_table(kind: Any, content: Any, where: str) -> Any:
    if not isinstance(content, Mapping):
        raise UserError(f"{content!r} is not a table", where=where, remedy="Correct it.")
    hints = get_type_hints(kind)
    unknown = sorted(set(content) - set(hints))
    if unknown:
        raise UserError(f"unknown setting {unknown[0]!r}", where=where, remedy=f"Known here: {', '.join(hints)}.")
    return kind(**{name: _parsed(hints[name], value, f"{where}, {name}") for name, value in content.items()})
