"""Ways through a latent space, pictures of it, and the cases on the way."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_generator import SIDE, FakeGenerator
from PIL import Image

from CranialAugmentationTrainerLib.cli.interpolate import SEEDS_ONLY
from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.skull_case import DataSet, SkullCase
from CranialAugmentationTrainerLib.generators.method import Generator
from CranialAugmentationTrainerLib.generators.registry import METHODS
from CranialAugmentationTrainerLib.latent import animation as animation_module
from CranialAugmentationTrainerLib.latent.animation import write_animation
from CranialAugmentationTrainerLib.latent.embedding import embed, mixing
from CranialAugmentationTrainerLib.latent.embedding_plot import plot_embedding
from CranialAugmentationTrainerLib.latent.encoding import encode_set, evenly, latent_of
from CranialAugmentationTrainerLib.latent.interpolation import interpolated, linear, spherical
from CranialAugmentationTrainerLib.latent.journey import write_journey
from CranialAugmentationTrainerLib.latent.surfaces import case_surfaces
from CranialAugmentationTrainerLib.sampling.sampler import LatentSampler
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
from CranialAugmentationTrainerLib.synthesis.post_processing import PostProcessing, post_process
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.ply_file import read_ply


def norm(latent: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(latent))


def case_file(path: Path, latent: torch.Tensor) -> Path:
    """The label volume of a latent's case."""
    labels = post_process(FakeGenerator().decode(latent[None])[0].numpy(), PostProcessing(smallest=0))
    write_volume(Volume(labels, case_grid(SIDE).ijk_to_ras), path)
    return path


def test_a_quarter_of_a_circle_is_walked_evenly() -> None:
    first, last = torch.zeros(2, 3), torch.zeros(2, 3)
    first[0, 1], last[1, 2] = 2.0, 6.0
    way = list(interpolated(first, last, 5))
    for step, latent in enumerate(way):
        angle, length = step / 4 * np.pi / 2, 2.0 + step
        expected = torch.zeros(2, 3)
        expected[0, 1], expected[1, 2] = length * np.cos(angle), length * np.sin(angle)
        torch.testing.assert_close(latent, expected)
    torch.testing.assert_close(way[0], first)
    torch.testing.assert_close(way[-1], last)


def test_only_the_arc_keeps_to_where_cases_are() -> None:
    sampler = LatentSampler(SamplingSettings("sd", 1), (200,))
    first, last = sampler.latent(0), sampler.latent(1)
    ends = (norm(first), norm(last))
    assert min(ends) <= norm(spherical(first, last, 0.5)) <= max(ends)
    assert norm(linear(first, last, 0.5)) < 0.8 * min(ends)
    torch.testing.assert_close(linear(first, last, 0.25), 0.75 * first + 0.25 * last)


@pytest.mark.parametrize("scale", [2.0, -1.0, 0.0])
def test_where_there_is_no_arc_the_line_serves(scale: float) -> None:
    first = torch.tensor([1.0, 2.0, -0.5])
    torch.testing.assert_close(spherical(first, scale * first, 0.3), linear(first, scale * first, 0.3))


def test_what_is_no_way_is_refused() -> None:
    nothing = torch.zeros(4)
    with pytest.raises(UserError, match="1 steps"):
        interpolated(nothing, nothing, 1)
    with pytest.raises(UserError, match="spherical"):
        interpolated(nothing, nothing, 3, "round")  # type: ignore[arg-type]


def test_an_end_is_a_seed_a_label_volume_or_two_masks(tmp_path: Path) -> None:
    generator = FakeGenerator()
    expected = LatentSampler(SamplingSettings("sd", 17), (4,)).latent(0)
    assert torch.equal(latent_of("17", generator), expected)
    path = case_file(tmp_path / "case.nrrd", expected)
    found = latent_of(str(path), generator)
    labels = read_volume(path)
    shares = torch.from_numpy(np.stack([labels.voxels == 1, labels.voxels == 2]).astype(np.float32))
    torch.testing.assert_close(found, generator.encode(shares[None])[0])
    for label, name in ((1, "skull.nrrd"), (2, "defect.nrrd")):
        write_volume(labels.with_voxels((labels.voxels == label).astype(np.uint8)), tmp_path / name)
    pair = latent_of(f"{tmp_path / 'skull.nrrd'},{tmp_path / 'defect.nrrd'}", generator)
    torch.testing.assert_close(pair, found)
    for label, name in ((1, "skull.nrrd"), (2, "defect.nrrd")):
        write_volume(labels.with_voxels((labels.voxels == label).astype(np.uint8)), tmp_path / "set" / "mine" / name)
    torch.testing.assert_close(latent_of(f"{tmp_path / 'set'}:mine", generator), found)
    for wrong, reason in (
        ("-3", "neither a seed"),
        ("a,b,c", "neither"),
        (f"{path},{path},{path}", "two files"),
        (f"{tmp_path / 'set'}:yours", "no case"),
    ):
        with pytest.raises(UserError, match=reason):
            latent_of(wrong, generator)


def test_only_methods_without_an_encoder_are_kept_to_seeds() -> None:
    kinds = {
        name: getattr(import_module(f"CranialAugmentationTrainerLib.generators.{file}"), kind)
        for name, (file, kind) in METHODS.items()
    }
    assert tuple(name for name in METHODS if kinds[name].latents_from is Generator.latents_from) == SEEDS_ONLY


def test_a_journey_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation_module, "SPACING", 4.0)
    first, last = torch.tensor([0.0, -2.0, 0.3, 0.0]), torch.tensor([0.5, 2.0, -0.3, 2.0])
    told = []
    steps = write_journey(
        FakeGenerator(), first, last, tmp_path, steps=4, way="linear", report=lambda *count: told.append(count)
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [step.share for step in steps] == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0])
    assert json.loads((tmp_path / "interpolation.json").read_text())["steps"][1]["volume"] == "volumes/001.nrrd"
    # The last end has no defect: it is written, and it is said.
    assert [step.concern for step in steps] == ["", "", "no defect", "no defect"]
    assert [len(step.surfaces) for step in steps] == [2, 2, 1, 1]
    for step in steps:
        labels = read_volume(tmp_path / step.volume)
        assert np.count_nonzero(labels.voxels == 1) * 16.0**3 / 1000.0 == pytest.approx(step.skull_ml)
        vertices, triangles = read_ply((tmp_path / step.surfaces[0]).read_bytes())
        assert len(triangles) > 100
        assert np.abs(vertices).max() < 128.0
    with Image.open(tmp_path / "interpolation.gif") as animation:
        assert (animation.format, animation.info["loop"]) == ("GIF", 0)
        # There and back, the ends once each.
        assert getattr(animation, "n_frames", 1) == 6
        frames = []
        for number in range(6):
            animation.seek(number)
            frames.append(np.asarray(animation.convert("RGB"), dtype=int))
    missing = [np.count_nonzero(frame[..., 2] - frame[..., 0] > 60) for frame in frames]
    assert min(missing[:2]) > 200
    assert max(missing[2:4]) == 0
    assert np.array_equal(frames[1], frames[5])


def test_surfaces_follow_the_shares_below_a_voxel(tmp_path: Path) -> None:
    axis = (np.arange(32) - 15.5) * 8.0
    radius = np.sqrt(sum(np.square(one) for one in np.meshgrid(axis, axis, axis, indexing="ij")))
    ball = np.clip((81.0 - radius) / 8.0 + 0.5, 0.0, 1.0).astype(np.float32)
    far = np.zeros_like(ball)
    far[2, 2, 2] = 0.9
    labels = post_process(np.stack([np.maximum(ball, far), far * 0]), PostProcessing(smallest=5))
    surfaces = case_surfaces(np.stack([np.maximum(ball, far), far * 0]), labels)
    assert list(surfaces) == ["skull"]
    mesh = surfaces["skull"]
    # A voxel is 8 mm long. What post-processing took away has no surface.
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(81.0, abs=0.8)
    assert mesh.volume == pytest.approx(4.0 / 3.0 * np.pi * 81.0**3, rel=0.01)


def test_an_animation_has_the_colours_of_all_its_frames(tmp_path: Path) -> None:
    colours = [(20, 20, 20), (30, 140, 200)]
    write_animation([Image.new("RGB", (8, 8), colour) for colour in colours], tmp_path / "two.gif")
    with Image.open(tmp_path / "two.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 2
        for number, colour in enumerate(colours):
            animation.seek(number)
            assert animation.convert("RGB").getpixel((4, 4)) == pytest.approx(colour, abs=4)


def test_a_data_set_is_encoded_and_what_is_broken_is_told(tmp_path: Path) -> None:
    sampler = LatentSampler(SamplingSettings("sd", 2), (4,))
    for number in range(10):
        case_file(tmp_path / f"{number}.nrrd", sampler.latent(number))
    (tmp_path / "3.nrrd").write_bytes((tmp_path / "3.nrrd").read_bytes()[:-60])
    cases = tuple(SkullCase(str(number), str(number), labels=tmp_path / f"{number}.nrrd") for number in range(10))
    found = encode_set(FakeGenerator(), DataSet("synthetic", tmp_path, cases), "mine")
    assert found.names == tuple(str(number) for number in range(10) if number != 3)
    assert found.latents.shape == (9, 4)
    assert [case.name for case in found.broken] == ["3"]
    np.testing.assert_allclose(found.latents[4], latent_of(str(tmp_path / "5.nrrd"), FakeGenerator()), rtol=1e-6)
    assert [case.name for case in evenly(cases, 4)] == ["0", "3", "6", "9"]
    with pytest.raises(UserError, match="no case"):
        encode_set(FakeGenerator(), DataSet("synthetic", tmp_path, cases[3:4]), "mine")


def three_groups(count: int = 10) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(5)
    centres = 12.0 * np.eye(3, 20)
    latents = np.concatenate([centre + random.standard_normal((count, 20)) for centre in centres])
    return latents.astype(np.float32), [name for name in "abc" for _ in range(count)]


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_groups_of_latents_stay_groups(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # UMAP compiles itself for fifteen seconds, and for thirty points does as well without.
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    latents, sources = three_groups()
    points = embed(latents, method, seed=1)  # type: ignore[arg-type]
    assert points.shape == (30, 2)
    kinds = np.array(sources)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert (kinds[apart.argmin(axis=1)] == kinds).all()
    if method == "tsne":
        np.testing.assert_array_equal(embed(latents, "tsne", seed=1), points)


def test_mixing_tells_sources_apart() -> None:
    latents, sources = three_groups()
    assert mixing(latents, sources, neighbours=6) == {name: (1.0, pytest.approx(9 / 29)) for name in "abc"}
    random = np.random.default_rng(1)
    alike = random.standard_normal((400, 5)).astype(np.float32)
    names = ["one", "two"] * 200
    for own, chance in mixing(alike, names).values():
        assert own == pytest.approx(chance, abs=0.05)
    # Copies of one latent have one another as neighbours, not themselves.
    assert mixing(np.zeros((4, 3), dtype=np.float32), list("aabb"), 2)["a"][0] <= 0.5


def test_too_few_cases_and_another_method_are_refused() -> None:
    with pytest.raises(UserError, match="4 cases"):
        embed(np.zeros((4, 3), dtype=np.float32))
    with pytest.raises(UserError, match="tsne or umap"):
        embed(np.zeros((9, 3), dtype=np.float32), "pca")  # type: ignore[arg-type]


def test_the_picture_has_a_colour_for_each_source(tmp_path: Path) -> None:
    points = np.random.default_rng(0).standard_normal((60, 2))
    plot_embedding(points, ["real"] * 30 + ["vae"] * 30, "tsne", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        colours = np.asarray(picture.convert("RGB"), dtype=int).reshape(-1, 3)
    blue = np.count_nonzero((colours[:, 2] - colours[:, 0]) > 80)
    orange = np.count_nonzero((colours[:, 0] - colours[:, 2]) > 80)
    assert min(blue, orange) > 500
