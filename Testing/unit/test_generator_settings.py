"""Presets of the generators: the papers' values, the way to JSON and back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from CranialAugmentationTrainerLib.generators.parameters import (
    AdamSettings,
    CodebookSettings,
    DenoiserSettings,
    IntroVaeSettings,
    LdmVaeSettings,
    NetworkSettings,
    SoftIntroVaeSettings,
    VaeSettings,
    VaeWganGpSettings,
    VqVaeSettings,
    WganGpSettings,
)
from CranialAugmentationTrainerLib.generators.registry import METHODS, build
from CranialAugmentationTrainerLib.generators.settings import (
    SETTINGS,
    parse_settings,
    preset,
    settings_as_json,
)
from CranialReconstructionLib.errors import UserError

PRESETS = ("k23", "w24", "small", "tiny")


def network_of(settings: Any) -> NetworkSettings:
    """The sizes of the method, or of the autoencoder below it."""
    found: NetworkSettings = getattr(settings, "autoencoder", settings).network
    return found


def test_every_method_has_settings() -> None:
    assert list(METHODS) == list(SETTINGS)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_presets_come_back_from_json(method: str, name: str) -> None:
    settings = preset(method, name)
    text = json.dumps(settings_as_json(settings), allow_nan=False)
    assert parse_settings(method, json.loads(text), "run.json") == settings


@pytest.mark.parametrize("method", METHODS)
def test_sides_of_the_presets(method: str) -> None:
    assert [network_of(preset(method, name)).side for name in PRESETS] == [128, 256, 64, 16]
    # W24's latents are volumetric.
    assert network_of(preset(method, "w24")).latent_channels > 0


def test_k23_has_the_papers_values() -> None:
    wgan, vae, intro = (preset(method, "k23") for method in ("wgan-gp", "vae", "introvae"))
    assert isinstance(wgan, WganGpSettings)
    assert (wgan.penalty, wgan.critic_steps) == (100.0, 5)
    assert (wgan.optimiser.learning_rate, wgan.optimiser.betas) == (2e-4, (0.5, 0.9))
    assert wgan.network.widths == (64, 128, 256, 512)
    assert isinstance(vae, VaeSettings)
    assert vae.network.latent_shape == (200,)
    assert (vae.optimiser.learning_rate, vae.optimiser.betas) == (1e-3, (0.9, 0.999))
    assert isinstance(intro, IntroVaeSettings)
    assert (intro.alpha, intro.beta, intro.margin) == (0.25, 1.0, 10.0)
    stages = preset("vae-wgan-gp", "k23")
    assert isinstance(stages, VaeWganGpSettings)
    # 10 and 15 epochs of 570 cases in batches of 8.
    assert stages.vae_steps / stages.bridge_steps == 10 / 15
    assert isinstance(codes := preset("vqvae", "k23"), VqVaeSettings)
    assert codes.codebook.decay == 0.99


REFUSED = [
    ("vae", {"kl_wait": 1.0}, "kl_wait"),
    ("vae", {"kl_weight": "much"}, "not a number"),
    ("vae", {"kl_weight": True}, "not a number"),
    ("vae", {"kl_weight": float("nan")}, "finite"),
    ("vae", {"kl_weight": 0.0}, "kl_weight"),
    ("vae", {"network": 3}, "not a table"),
    ("vae", {"network": {"side": 100}}, "halve"),
    ("vae", {"network": {"side": 64.0}}, "whole number"),
    ("vae", {"network": {"widths": 3}}, "not a list"),
    ("vae", {"network": {"widths": []}}, "widths"),
    ("vae", {"network": {"widths": [4, 6], "groups": 4}}, "groups"),
    ("vae", {"network": {"latent_channels": 4}}, "either"),
    ("vae", {"optimiser": {"betas": [0.9]}}, "2 values"),
    ("vae", {"optimiser": {"betas": [0.9, 1.0]}}, "betas"),
    ("vae", {"seed": -1}, "seed"),
    ("wgan-gp", {"critic_steps": 0}, "critic_steps"),
    ("wgan-gp", {"penalty": 0}, "penalty"),
    ("vae-wgan-gp", {"bridge_steps": -1}, "bridge_steps"),
    ("introvae", {"margin": 0.0, "warmup_steps": 0}, "warmup_steps"),
    ("introvae", {"margin_factor": 0.9}, "margin_factor"),
    ("softintrovae", {"exponent": 0.0}, "exponent"),
    ("vqvae", {"network": {"latent_size": 10}}, "latent_channels"),
    ("vqvae", {"codebook": {"decay": 1.0}}, "decay"),
    ("vqvae", {"codebook": {"codes": 1}}, "codes"),
    ("vqvae", {"prior": {"layers": 0}}, "layers"),
    ("ldm-vae", {"denoiser": {"inference_steps": 300}}, "divide"),
    ("ldm-vae", {"denoiser": {"attention": [True]}}, "attention"),
    ("ldm-vae", {"autoencoder": {"network": {"latent_size": 10}}}, "latent_channels"),
    ("ldm-vqvae", {"denoiser": {"widths": [16] * 5, "attention": [False] * 5}}, "too often"),
    ("ldm-vqvae", {"measured_batches": 0}, "measured_batches"),
]


@pytest.mark.parametrize(("method", "content", "told"), REFUSED)
def test_what_cannot_be_is_refused(method: str, content: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        parse_settings(method, content, "run.json")


def test_names_that_there_are_not() -> None:
    with pytest.raises(UserError, match="no method 'gan'"):
        preset("gan", "tiny")
    with pytest.raises(UserError, match="no preset 'huge'"):
        preset("vae", "huge")
    with pytest.raises(UserError, match="not the settings of vae"):
        build("vae", preset("introvae", "tiny"))


def test_what_is_not_named_has_its_default() -> None:
    parsed = parse_settings("vae", {"network": {"side": 64}, "kl_weight": 1}, "run.json")
    assert parsed == VaeSettings(network=NetworkSettings(side=64), kl_weight=1.0)
    assert parse_settings("softintrovae", {}, "run.json") == SoftIntroVaeSettings()
    # A tiny change of a part is kept apart from the rest.
    changed = replace(LdmVaeSettings(), denoiser=DenoiserSettings(optimiser=AdamSettings(learning_rate=2e-4)))
    assert parse_settings("ldm-vae", settings_as_json(changed), "run.json") == changed
    assert CodebookSettings() == VqVaeSettings().codebook
