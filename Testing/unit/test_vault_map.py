"""The vault unrolled and rolled up again."""

import numpy as np
import pytest
import torch
from synthetic_head import SyntheticHead

from CranialReconstructionLib.imaging.head_grid import VAULT_BOX
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.reconstruction.continuation import (
    batched,
    continue_tables,
    fill_by_averages,
    trusted_tables,
)
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.shape_model import ShapeModel, fit_shape_model
from CranialReconstructionLib.reconstruction.shell_pass import (
    SHELL_CHANNELS,
    SHELL_OUTPUTS,
    ShellAnswer,
    missing_share,
    shell_answer,
    shell_input,
)
from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap, unroll

FRAME = HeadFrame(VAULT_BOX)
SMALL = VaultMap(size=64)
HEAD = SyntheticHead(hole_radius=28.0)


def shares(kind: str, spacing: float = 2.0) -> torch.Tensor:
    fine = HEAD.grid((1.0, 1.0, 1.0))
    return torch.from_numpy(occupancy(getattr(HEAD, kind)(fine), VAULT_BOX.grid(np.zeros(3), spacing)).voxels)


@pytest.fixture(scope="module")
def complete() -> torch.Tensor:
    """Shares of bone of the whole synthetic skull, on a 2 mm head grid."""
    return shares("complete")


@pytest.fixture(scope="module")
def skull() -> torch.Tensor:
    """The same with its hole."""
    return shares("skull")


HEADS = [np.array(HEAD.half_axes) * scale for scale in ([1.01, 0.98, 1.0], [1, 1, 1], [0.97, 1.03, 1], [1.04, 1, 0.98])]


def ellipsoid_radius(half_axes: np.ndarray) -> torch.Tensor:
    directions = SMALL.directions().numpy().astype(np.float64)
    return torch.from_numpy(1.0 / np.linalg.norm(directions / half_axes, axis=-1)).float()


def test_pixels_and_directions_are_inverse() -> None:
    pixels = SMALL.pixels(70.0 * SMALL.directions())
    expected = 2.0 * (torch.arange(64) + 0.5) / 64 - 1.0
    inside = torch.hypot(pixels[..., 0], pixels[..., 1]) * 115.0 < 179.0
    torch.testing.assert_close(pixels[..., 0][inside], expected.expand(64, 64)[inside], atol=1e-4, rtol=0)
    torch.testing.assert_close(pixels[..., 1][inside], expected[:, None].expand(64, 64)[inside], atol=1e-4, rtol=0)


def test_the_vertex_is_in_the_middle_and_right_is_right() -> None:
    directions = SMALL.directions()
    assert directions[31:33, 31:33, 2].min() > 0.99
    assert directions[32, 60, 0] > 0.9
    assert directions[60, 32, 1] > 0.9


def test_solid_angles_add_up_to_the_sphere_s_share() -> None:
    """All pixels above the horizon are half of a sphere, 2 pi."""
    angles = VaultMap().solid_angles()
    assert abs(float(angles[VaultMap().directions()[..., 2] > 0].sum()) - 2.0 * np.pi) < 0.02


def test_tables_of_an_ellipsoid_are_exact(complete: torch.Tensor) -> None:
    tables = unroll(complete, FRAME, SMALL)
    vault = SMALL.directions()[..., 2] > 0.1
    outer = ellipsoid_radius(np.array(HEAD.half_axes))
    inner = ellipsoid_radius(np.array(HEAD.half_axes) - HEAD.thickness)
    assert (tables.outer - outer)[vault].abs().mean() < 0.15
    assert (tables.inner - inner)[vault].abs().mean() < 0.15
    assert tables.present[vault].min() == 1.0


def test_a_hole_is_absent(complete: torch.Tensor, skull: torch.Tensor) -> None:
    hole = SMALL.directions() @ torch.tensor(HEAD.hole_direction) / np.linalg.norm(HEAD.hole_direction) > 0.97
    assert unroll(skull, FRAME, SMALL).present[hole].max() == 0.0
    assert unroll(complete, FRAME, SMALL).present[hole].min() == 1.0


def test_known_tables_give_the_missing_bone_back(complete: torch.Tensor, skull: torch.Tensor) -> None:
    """With the truth in place of a network's answer, what is painted fills the hole."""
    vault = VaultMap()
    whole, left = unroll(complete, FRAME, vault), unroll(skull, FRAME, vault)
    gone = torch.nn.functional.max_pool2d((whole.present - left.present)[None], 9, 1, 4)
    ones = torch.ones(1, 160, 160)
    answer = ShellAnswer(whole.outer[None], whole.inner[None], ones, ones, 40.0 * gone - 20.0)
    share, probable = missing_share(answer, FRAME, vault, 2.0)
    found = (torch.minimum(share, 1.0 - skull) + skull > 0.5) & (skull < 0.5) & (share > 0.3)
    truth = (complete > 0.5) & (skull < 0.5)
    assert float(2 * (found & truth).sum() / (found.sum() + truth.sum())) > 0.93
    assert probable.min() >= 0.0
    assert probable.max() <= 1.0


def test_a_hole_in_a_smooth_surface_is_continued() -> None:
    """A paraboloid has a constant Laplacian, so the thin plate gives it back exactly."""
    v, u = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    outer = 80.0 + 3.0 * u - 2.0 * v + 6.0 * u**2 - 4.0 * v**2
    present = torch.ones(64, 64)
    present[24:40, 26:38] = 0.0
    continued = continue_tables(Tables(outer * present, (outer - 6.0) * present, present), SMALL)
    assert (continued.outer - outer).abs().max() < 0.01
    assert (continued.inner - outer + 6.0).abs().max() < 0.01
    torch.testing.assert_close(continued.present, present)


def test_a_wedge_of_bone_at_the_rim_does_not_tilt_the_plate() -> None:
    v, u = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    outer = 80.0 + 6.0 * u**2 - 4.0 * v**2
    present = torch.ones(64, 64)
    present[24:40, 26:38] = 0.0
    spoilt = outer.clone()
    spoilt[22:24, 26:38] -= 4.0
    continued = continue_tables(Tables(spoilt * present, (outer - 6.0) * present, present), SMALL)
    assert (continued.outer - outer).abs().max() < 0.01


def test_the_shape_model_knows_what_the_rim_does_not() -> None:
    """Ellipsoids of two sizes, a third of one gone: its shape tells how the rest goes on."""
    vaults = []
    for number in range(12):
        scale = 0.9 + 0.02 * number
        outer = ellipsoid_radius(np.array(HEAD.half_axes) * [scale, 1.0, 2.0 - scale])
        vaults.append(Tables(outer, outer - 6.0, torch.ones_like(outer)))
    model = fit_shape_model(vaults[:-2], SMALL, modes=6, reference=vaults[0].outer)
    again = ShapeModel.from_tensors(model.tensors())
    truth = vaults[-1]
    present = (SMALL.directions()[..., 0] < 0.3).float()
    left = Tables(truth.outer * present, truth.inner * present, present)
    errors = [
        float((continue_tables(left, SMALL, shape).outer - truth.outer)[SMALL.directions()[..., 2] > 0].abs().mean())
        for shape in (again, None)
    ]
    assert errors[0] < 0.3
    assert errors[0] < 0.2 * errors[1]


def test_a_cut_through_the_bone_is_not_taken_for_its_table() -> None:
    """On one side of a hole the outer table falls off along the saw's path; on the others the bone is whole."""
    vaults = [Tables(outer, outer - 6.0, torch.ones_like(outer)) for outer in map(ellipsoid_radius, HEADS)]
    shape = fit_shape_model(vaults[1:], SMALL, modes=4, reference=vaults[1].outer)
    truth = vaults[0]
    present = torch.ones(64, 64)
    present[24:40, 26:38] = 0.0
    sawn = truth.outer.clone()
    # Pixels are 5 mm wide here, so that a saw held at 45 degrees takes all of the bone in little more than one.
    sawn[22, 26:38] -= 3.5
    sawn[23, 26:38] -= 5.5
    left = Tables(sawn * present, truth.inner * present, present)
    expected = shape.expected(left.outer, left.outer - left.inner, present, SMALL)
    outer, inner = trusted_tables(left, expected, SMALL)
    assert not outer[22:24, 26:38].any()
    assert inner[22, 26:38].all()
    assert outer[41:, 26:38].all()
    continued = continue_tables(left, SMALL, shape)
    assert (continued.outer - truth.outer)[23:41, 26:38].abs().max() < 0.5
    assert (continued.inner - truth.inner)[24:40, 26:38].abs().max() < 0.5


def test_no_bone_at_all_is_not_a_crash() -> None:
    nothing = torch.zeros(64, 64)
    continued = continue_tables(Tables(nothing, nothing, nothing), SMALL)
    assert torch.isfinite(continued.outer).all()


def test_averages_keep_what_is_known() -> None:
    values = 50.0 + 10.0 * torch.rand(1, 1, 32, 32)
    known = (torch.rand(1, 1, 32, 32) > 0.3).float()
    filled = fill_by_averages(values * known, known)
    torch.testing.assert_close(filled[known > 0], values[known > 0])
    assert filled.min() >= 50.0 - 1e-3
    assert filled.max() <= 60.0 + 1e-3


def test_a_silent_network_repeats_the_continued_tables(skull: torch.Tensor) -> None:
    tables = continue_tables(unroll(skull, FRAME, SMALL), SMALL)
    seen = shell_input(batched(tables))
    assert seen.shape == (1, len(SHELL_CHANNELS), 64, 64)
    answer = shell_answer(seen, torch.zeros(1, SHELL_OUTPUTS, 64, 64))
    torch.testing.assert_close(answer.outer[0], tables.outer, atol=1e-3, rtol=0)
    torch.testing.assert_close(answer.inner[0], tables.inner, atol=1e-3, rtol=0)


def test_the_mirrored_half_of_the_input_is_the_head_mirrored(skull: torch.Tensor) -> None:
    seen, other = (
        shell_input(batched(tables))
        for tables in (continue_tables(unroll(head, FRAME, SMALL), SMALL) for head in (skull, skull.flip(-1)))
    )
    torch.testing.assert_close(seen.flip(-1), other, atol=2e-2, rtol=0)
