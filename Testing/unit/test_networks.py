"""Every network by name: its shapes, its gradients, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.manifest import ARCHITECTURES
from CranialReconstructionLib.reconstruction.networks import (
    build_network,
    fixed_input_shape,
    full_arguments,
    minimum_multiple,
)

# Small variants, so that a pass takes a fraction of a second; MONAI's V-Net comes in one size.
SMALL = {
    "residual_unet": {"channels": (4, 8, 16), "strides": (2, 2)},
    "attention_unet": {"channels": (4, 8, 16), "strides": (2, 2)},
    "segresnet": {"init_filters": 8, "blocks_down": (1, 1, 1), "blocks_up": (1, 1)},
    "unetr": {"img_size": (32, 32, 48), "hidden_size": 24, "mlp_dim": 32, "num_heads": 2, "feature_size": 4},
    "swin_unetr": {"feature_size": 12, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 3, 4)},
    "vnet": {},
}


def smallest_shape(architecture: str) -> tuple[int, int, int]:
    arguments = SMALL[architecture]
    side = minimum_multiple(architecture, arguments)
    return fixed_input_shape(architecture, arguments) or (side, side, 2 * side)


def test_the_small_variants_are_of_all_architectures() -> None:
    assert tuple(SMALL) == ARCHITECTURES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_smallest_input_gives_logits_of_its_shape_and_every_weight_learns(architecture: str) -> None:
    torch.manual_seed(1)
    network = build_network(architecture, {**SMALL[architecture], "in_channels": 2, "out_channels": 1})
    image = torch.rand(1, 2, *smallest_shape(architecture))
    logits = network(image)
    assert logits.shape == (1, 1, *image.shape[2:])
    # A sigmoid inside would leave nothing below zero.
    assert logits.min() < 0
    logits.square().mean().backward()
    unlearning = {name for name, weight in network.named_parameters() if weight.grad is None}
    # MONAI's transformer blocks carry the weights of a cross-attention that UNETR does not use.
    assert [name for name in unlearning if "cross_attn" not in name] == []
    first = next(weight for weight in network.parameters() if weight.dim() == 5)
    assert first.grad is not None
    assert first.grad.abs().max() > 0


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "unetr"])
def test_a_side_that_is_no_multiple_does_not_come_back_whole(architecture: str) -> None:
    multiple = minimum_multiple(architecture, SMALL[architecture])
    network = build_network(architecture, SMALL[architecture]).eval()
    side = 2 * multiple + multiple // 2
    with torch.no_grad():
        try:
            shape = network(torch.zeros(1, 1, side, 2 * multiple, 2 * multiple)).shape
        except (RuntimeError, ValueError):
            return
    assert shape[2] != side


def test_unequal_strides_need_what_all_axes_need() -> None:
    arguments = {"channels": (4, 8, 16), "strides": ((1, 2, 2), (2, 3, 2))}
    assert minimum_multiple("residual_unet", arguments) == 12
    network = build_network("residual_unet", arguments).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 24, 24, 24)).shape == (1, 1, 24, 24, 24)


def test_lists_of_a_json_file_build_the_same_network_as_tuples() -> None:
    torch.manual_seed(3)
    of_tuples = build_network("segresnet", SMALL["segresnet"]).state_dict()
    torch.manual_seed(3)
    of_lists = build_network("segresnet", {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]})
    assert all(torch.equal(of_tuples[name], weight) for name, weight in of_lists.state_dict().items())


def test_full_arguments_build_the_same_whatever_the_defaults_become() -> None:
    arguments = full_arguments("residual_unet", {"in_channels": 2})
    assert arguments["in_channels"] == 2
    assert {"spatial_dims", "out_channels", "channels", "strides", "num_res_units"} <= set(arguments)


def test_residual_unet_does_not_normalise_the_amount_of_missing_bone_away() -> None:
    network = build_network("residual_unet", SMALL["residual_unet"])
    widths = [module.num_features for module in network.modules() if isinstance(module, torch.nn.InstanceNorm3d)]
    assert widths
    assert min(widths) > 1


def test_plain_unet_without_residual_units_is_there_for_comparison() -> None:
    network = build_network("residual_unet", {**SMALL["residual_unet"], "num_res_units": 0})
    assert network(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 1, 8, 8, 8)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        build_network("resnet", {})
    assert "'resnet'" in caught.value.problem
    assert all(name in caught.value.remedy for name in ARCHITECTURES)


@pytest.mark.parametrize(
    ("architecture", "arguments", "word"),
    [
        ("residual_unet", {"depth": 3}, "depth"),
        ("residual_unet", {"channels": (4,)}, "channels"),
        ("residual_unet", {"channels": 16}, "TypeError"),
        ("residual_unet", {"spatial_dims": 4}, "spatial_dims"),
        ("attention_unet", {"dropout": "much"}, "MUCH"),
        ("vnet", {"in_channels": 3}, "in_channels"),
        ("unetr", {"num_heads": 5}, "num_heads"),
        ("segresnet", {"init_filters": 5}, "num_groups"),
    ],
)
def test_arguments_that_the_network_refuses_are_the_users_to_mend(
    architecture: str, arguments: dict[str, object], word: str
) -> None:
    with pytest.raises(UserError) as caught:
        build_network(architecture, arguments)
    assert architecture in caught.value.where
    assert word in caught.value.problem
    assert "\n" not in str(caught.value)


def test_importing_the_module_does_not_import_monai() -> None:
    code = "import sys, CranialReconstructionLib.reconstruction.networks; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
