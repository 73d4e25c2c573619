"""The guide to the settings of a run: whole, never stale, and of one mind with what training reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from CranialAugmentationTrainerLib.cli.train import METHODS, PRESETS
from CranialAugmentationTrainerLib.training.training_settings import training_settings
from CranialAugmentationTrainerLib.workflow import methods
from CranialAugmentationTrainerLib.workflow.paper_values import GIVEN
from CranialAugmentationTrainerLib.workflow.parameter_guide import (
    AUTOENCODER,
    NAMED_ELSEWHERE,
    as_text,
    changed_settings,
    check_changes,
    key_of,
    leaves,
    overrides_of,
    settings_of,
)
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder
from CranialAugmentationTrainerLib.workflow.setting_texts import TEXTS
from CranialReconstructionLib.errors import UserError

KEYS = {name for texts in TEXTS.values() for name in texts}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_every_setting_has_its_row_with_the_default_of_the_preset(method: str, preset: str) -> None:
    values = dict(leaves(training_settings(method, preset)))
    rows = settings_of(method, preset)
    assert {row.name for row in rows} == set(values) - set(NAMED_ELSEWHERE)
    for row in rows:
        assert row.default == as_text(values[row.name])
        assert row.source
        assert row.meaning.endswith((".", "]]."))
        # The words of the default are read back as the default.
        assert check_changes(method, preset, {row.name: row.default}) == training_settings(method, preset)


def test_no_row_is_stale() -> None:
    used = {key_of(row.name) for method in METHODS for preset in PRESETS for row in settings_of(method, preset)}
    assert used == KEYS
    assert set(GIVEN) <= KEYS


def test_sources_are_the_papers_where_a_default_is_theirs() -> None:
    def sources(method: str, preset: str) -> dict[str, str]:
        return {row.name.removeprefix("settings."): row.source for row in settings_of(method, preset)}

    k23 = sources("wgan-gp", "k23")
    assert [k23[name] for name in ("penalty", "critic_steps", "optimiser.betas", "network.latent_size", "batch")] == [
        "K23"
    ] * 5
    assert sources("vae", "w24")["network.side"] == "W24"
    assert sources("vae", "small")["network.side"] == "ours (K23: 128, W24: 256)"
    assert sources("reconstruction", "k23")["optimiser.weight_decay"] == "M24"
    assert sources("introvae", "small")["margin"] == "ours (K23: 10.0)"


def test_a_given_autoencoder_takes_its_settings_along() -> None:
    rows = settings_of("ldm-vqvae", "small")
    assert AUTOENCODER in {row.group for row in rows}
    given = settings_of("ldm-vqvae", "small", autoencoder=True)
    assert AUTOENCODER not in {row.group for row in given}
    assert "settings.autoencoder_steps" not in {row.name for row in given}
    assert {row.title for row in rows if row.group == "Split"} == {"seed", "validation", "test", "same_person"}
    unused = next(row for row in rows if row.name == "settings.autoencoder.prior.width")
    assert "Not used" in unused.meaning


def test_changes_come_back_from_the_order_that_they_make(tmp_path: Path) -> None:
    changes = {
        "settings.network.widths": "8, 16, 32",
        "settings.optimiser.learning_rate": "0.0005",
        "steps": "500",
        "split.same_person": '[["011", "042"]]',
    }
    order = RunOrder("vae", (tmp_path,), "small", overrides_of(changes))
    assert changed_settings(order) == changes
    everything = tuple(
        f"{name}={as_text(value)}"
        for name, value in leaves(check_changes("vae", "small", changes))
        if name not in NAMED_ELSEWHERE
    )
    assert changed_settings(replace(order, overrides=everything)) == changes
    network = RunOrder("reconstruction", (tmp_path,), "tiny", ("settings.arguments.num_res_units=2",))
    assert changed_settings(network) == {
        "settings.arguments": '{"channels": [4, 8], "strides": [2], "num_res_units": 2}'
    }
    assert check_changes("reconstruction", "tiny", changed_settings(network)).settings.arguments["num_res_units"] == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("settings.network.widths", "7", "groups must divide"),
        ("steps", "many", "not a number"),
        ("steps", "0", "at least one step"),
        ("settings.optimiser.betas", "0.9", "2 values"),
        ("augmentation.masked", "2.0", "shares"),
        ("nothing", "1", "no setting"),
    ],
)
def test_a_wrong_value_is_told_as_training_would_tell_it(name: str, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        check_changes("vae", "small", {name: text})


def test_every_method_is_in_a_family_with_what_its_papers_report() -> None:
    assert (tuple(methods.METHODS), tuple(methods.PRESETS)) == (METHODS, PRESETS)
    assert set(methods.FAMILIES) == {
        "Autoencoders", "Adversarial", "Introspective", "Quantised", "Diffusion", "Reconstruction",
    }  # fmt: skip
    assert "W24 0.924" in methods.METHODS["ldm-vqvae"].published
    assert "K23 0.782" in methods.METHODS["vae-wgan-gp"].published
    assert "W24" not in methods.METHODS["vae-wgan-gp"].published
    assert replace(methods.METHODS["vae"], figures=()).published == "No figure is published."
    assert [entry.autoencoder for entry in methods.ALL if entry.autoencoder] == ["vae", "vqvae"]
