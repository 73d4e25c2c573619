"""The worker's own operations, through files and the wire, against the library called here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_workers import PRODUCT, engine, until_answered
from scipy import ndimage
from spherical_skull import SphericalSkull, grid_around
from synthetic_head import SyntheticHead

from CranialReconstructionLib.engine.arguments import (
    Arguments,
    Compare,
    Estimate,
    InstallModel,
    MakeImplant,
    Models,
    PreviewImplant,
    Reconstruct,
    SegmentSkull,
    SelfTest,
)
from CranialReconstructionLib.engine.client import Engine
from CranialReconstructionLib.engine.memory_plan import ENOUGH, LARGE_VOLUME, network_plan
from CranialReconstructionLib.engine.operations import Operations
from CranialReconstructionLib.engine.protocol import Failure, Progress, Result
from CranialReconstructionLib.engine.records import to_json
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.scan_warnings import slice_warnings
from CranialReconstructionLib.imaging.skull import segment_skull
from CranialReconstructionLib.implant.mesh_file import read_mesh
from CranialReconstructionLib.reconstruction import installation, model_package
from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
from CranialReconstructionLib.reconstruction.manifest import MANIFEST_FILE, ModelManifest
from CranialReconstructionLib.reconstruction.model_package import load_package, write_package
from CranialReconstructionLib.reconstruction.networks import build_network
from CranialReconstructionLib.reconstruction.passes import COARSE_CHANNELS
from CranialReconstructionLib.reconstruction.predictor import Predictor

HEAD = SyntheticHead()


@dataclass(frozen=True)
class Files:
    """A head as CT and as mask, and a spherical skull with its missing bone."""

    ct: Path
    skull: Path
    sphere: Path
    hole: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("case")
    found = Files(*(folder / f"{name}.nrrd" for name in ("ct", "skull", "sphere", "hole")))
    grid = HEAD.grid((1.5, 1.5, 1.5))
    skull = HEAD.skull(grid)
    write_volume(skull, found.skull)
    soft = ndimage.binary_dilation(ndimage.binary_fill_holes(HEAD.complete(grid).voxels), iterations=5)
    hounsfield = np.where(skull.voxels > 0, 900, np.where(soft, 40, -1000))
    noise = np.random.default_rng(3).normal(0.0, 10.0, hounsfield.shape)
    write_volume(skull.with_voxels((hounsfield + noise).astype(np.int16)), found.ct)
    sphere, hole = SphericalSkull(hole_radius=11.0).masks(grid_around((0.0, 0.0, 1.0), 80.0, (1.0, 1.0, 1.0), 64.0))
    write_volume(sphere, found.sphere)
    write_volume(hole, found.hole)
    return found


@pytest.fixture(scope="module")
def client() -> Iterator[Engine]:
    with engine(PRODUCT) as shared:
        yield shared


def asked(client: Engine, arguments: Arguments) -> tuple[Any, list[Progress]]:
    """The result's content and the progress before it."""
    job = client.ask(arguments)
    told = until_answered(client, job, seconds=120.0)
    (answer,) = [message for message in told if isinstance(message, Result | Failure)]
    assert isinstance(answer, Result), answer
    return answer.content, [message for message in told if isinstance(message, Progress)]


def test_the_device_is_tried(client: Engine) -> None:
    content, _ = asked(client, SelfTest("cpu"))
    assert content["device"] == "cpu"
    assert content["torch"] == torch.__version__
    works = {entry["name"]: entry["works"] for entry in content["devices"]}
    assert works == {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}


def test_the_models_are_listed_with_their_manifests(client: Engine) -> None:
    content, _ = asked(client, Models())
    shipped = content["models"][0]
    folder = find_package(DEFAULT_MODEL)
    assert (shipped["name"], shipped["folder"], shipped["problem"]) == (DEFAULT_MODEL, str(folder), "")
    written = json.loads((folder / MANIFEST_FILE).read_text())
    assert {key: shipped["manifest"][key] for key in ("version", "licence", "figures")}.items() <= written.items()


def test_a_segmented_skull_is_the_librarys(client: Engine, files: Files, tmp_path: Path) -> None:
    content, progress = asked(client, SegmentSkull(files.ct, tmp_path / "new" / "folder"))
    expected = segment_skull(read_volume(files.ct))
    skull = read_volume(Path(content["skull"]))
    np.testing.assert_array_equal(skull.voxels, expected.skull.voxels)
    assert skull.grid.same_as(expected.skull.grid)
    assert content["threshold"] == pytest.approx(expected.threshold)
    assert content["warnings"] == [*slice_warnings(expected.skull), *expected.warnings]
    assert [message.stage for message in progress] == ["read", "segment", "write"]


def test_a_reconstruction_is_the_librarys(client: Engine, files: Files, tmp_path: Path) -> None:
    content, progress = asked(client, Reconstruct(files.skull, tmp_path, device="cpu"))
    stages: list[str] = []
    predictor = Predictor(load_package(find_package(DEFAULT_MODEL)), torch.device("cpu"))
    expected = predictor.reconstruct(read_volume(files.skull), stages.append)
    defect, confidence = (read_volume(Path(content[name])) for name in ("defect", "confidence"))
    # Another number of threads may add up in another order.
    assert (defect.voxels != expected.defect.voxels).sum() <= 1e-3 * expected.defect.voxels.sum()
    np.testing.assert_allclose(confidence.voxels, expected.confidence.voxels, atol=1e-3)
    assert defect.grid.same_as(expected.defect.grid)
    assert content["defect_found"]
    assert content["defect_ml"] == pytest.approx(1.5**3 * defect.voxels.sum() / 1000.0, abs=1e-3)
    assert content["model"]["name"] == DEFAULT_MODEL
    assert [message.stage for message in progress] == ["read", "load model", *stages, "write"]


def test_the_mirror_finds_the_hole_and_knows_how_far_it_is(client: Engine, files: Files, tmp_path: Path) -> None:
    content, progress = asked(client, Reconstruct(files.skull, tmp_path, "mirror"))
    found = read_volume(Path(content["defect"]))
    truth = HEAD.defect(found.grid).voxels
    assert 2.0 * (truth & found.voxels).sum() / (truth.sum() + found.voxels.sum()) > 0.7
    np.testing.assert_allclose(content["plane_normal"], (1.0, 0.0, 0.0), atol=0.05)
    shares = [message.fraction for message in progress if message.fraction is not None]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_bone_is_cut_away_before_and_added_within_a_region_alone(client: Engine, files: Files, tmp_path: Path) -> None:
    skull = read_volume(files.skull)
    defect = HEAD.defect(skull.grid).voxels > 0
    # A wider rim behind the hole, and bone in front of its middle only.
    wider = ndimage.binary_dilation(defect, iterations=5)
    back = np.arange(skull.voxels.shape[1])[None, :, None] < np.argwhere(defect)[:, 1].mean()
    cut, region = (tmp_path / f"{name}.nrrd" for name in ("cut", "region"))
    write_volume(skull.with_voxels((wider & back).astype(np.uint8)), cut)
    write_volume(skull.with_voxels(np.broadcast_to(~back, defect.shape).astype(np.uint8)), region)
    request = Reconstruct(files.skull, tmp_path / "out", "mirror", cut=cut, complete=True)
    content, _ = asked(client, request)
    left, found, complete = (read_volume(Path(content[name])).voxels > 0 for name in ("skull", "defect", "complete"))
    np.testing.assert_array_equal(left, (skull.voxels > 0) & ~(wider & back))
    np.testing.assert_array_equal(complete, left | found)
    moved = (skull.voxels > 0) & wider & back
    assert (found & moved).sum() > 0.8 * moved.sum()
    content, _ = asked(client, replace(request, cut=None, region=region, complete=False))
    assert {"skull", "complete"} & set(content) == set()
    for name in ("defect", "confidence"):
        voxels = read_volume(Path(content[name])).voxels
        assert not voxels[np.broadcast_to(back, voxels.shape)].any()
        assert voxels.any()
    assert content["defect_ml"] < 0.7 * 1.5**3 * defect.sum() / 1000.0


def test_a_region_on_another_grid_is_refused(client: Engine, files: Files, tmp_path: Path) -> None:
    job = client.ask(Reconstruct(files.skull, tmp_path, "mirror", region=files.hole))
    (failure,) = [entry for entry in until_answered(client, job) if isinstance(entry, Failure)]
    assert failure.code == "user"
    assert "the region and the skull" in failure.problem
    assert failure.where == str(files.hole)


def test_two_defects_are_compared(client: Engine, files: Files, tmp_path: Path) -> None:
    first = read_volume(files.hole)
    voxels = np.zeros_like(first.voxels)
    voxels[:, :, 2:] = first.voxels[:, :, :-2]
    second = tmp_path / "second.nrrd"
    write_volume(first.with_voxels(voxels), second)
    content, _ = asked(client, Compare(files.hole, second, tmp_path))
    one, other = first.voxels > 0, voxels > 0
    assert content["dice"] == pytest.approx(2.0 * (one & other).sum() / (one.sum() + other.sum()))
    assert content["first_ml"] == pytest.approx(one.sum() / 1000.0)
    assert 0.0 < content["hd95_mm"] <= 2.0
    difference = read_volume(Path(content["difference"]))
    np.testing.assert_array_equal(difference.voxels, np.where(one & ~other, 1, np.where(other & ~one, 2, 0)))
    assert difference.grid.same_as(first.grid)


def test_an_implant_is_made_of_a_design(client: Engine, files: Files, tmp_path: Path) -> None:
    design = {"gap": 0.6, "host_model": True, "triangle_budget": 30_000, "name": "Mr \u00d8"}
    request = MakeImplant(files.sphere, files.hole, tmp_path, design, formats=("ply", "stl"), frame="RAS", report=False)
    content, _ = asked(client, request)
    (figures,) = content["implants"]
    assert content["written"]
    assert abs(figures["gap"]["mean"] - 0.6) < 0.1
    assert {check["verdict"] for check in figures["checks"]} <= {"pass", "warn"}
    assert set(content["files"]) == {"implant", "host-bone"}
    meshes = [read_mesh(Path(path)) for path in content["files"]["implant"]]
    for mesh in meshes:
        assert mesh.volume / 1000.0 == pytest.approx(figures["volume_ml"], rel=1e-3)
        assert mesh.vertices[:, 2].min() > 60.0
    assert json.loads((tmp_path / "design.json").read_text()) == content["design"]
    assert content["design"].items() >= design.items()
    # What a 3D view shows is the same surface.
    shown = read_mesh(Path(content["surfaces"]["implant"]))
    np.testing.assert_allclose(shown.vertices, meshes[0].vertices, atol=1e-3)
    # As the command line leaves it: the next design of this folder has the next number.
    assert {"report.json", "design.json", "implant.stl"} <= {file.name for file in tmp_path.iterdir()}
    content, _ = asked(client, replace(request, design={**design, "gap": 0.5}, formats=("stl",)))
    assert content["design"]["number"] == 2
    assert not (tmp_path / "implant.ply").exists()


def test_a_withheld_implant_is_shown_all_the_same(client: Engine, files: Files, tmp_path: Path) -> None:
    # The walls of so many holes need more triangles than the whole implant may have.
    design = {"triangle_budget": 1000, "perfusion": {"diameter": 2.0, "pitch": 5.0, "margin": 2.0}}
    request = MakeImplant(files.sphere, files.hole, tmp_path, design, report=False)
    content, _ = asked(client, request)
    (figures,) = content["implants"]
    assert "fail" in {check["verdict"] for check in figures["checks"]}
    assert (content["written"], content["files"], content["pages"]) == (False, {}, [])
    assert [file.name for file in tmp_path.iterdir()] == ["preview"]
    assert read_mesh(Path(content["surfaces"]["implant"])).volume / 1000.0 == pytest.approx(figures["volume_ml"], 1e-3)


def test_a_preview_keeps_what_the_design_does_not_change(client: Engine, files: Files, tmp_path: Path) -> None:
    sphere = tmp_path / "sphere.nrrd"
    sphere.write_bytes(files.sphere.read_bytes())
    request = PreviewImplant(sphere, files.hole, tmp_path)
    first, progress = asked(client, request)
    assert "read" in [message.stage for message in progress]
    second, progress = asked(client, replace(request, design={"gap": 1.5}))
    assert "read" not in [message.stage for message in progress]
    assert second["volume_ml"] < first["volume_ml"]
    np.testing.assert_allclose(first["axis"], (0.0, 0.0, -1.0), atol=0.1)
    np.testing.assert_allclose(first["centre"], (0.0, 0.0, 80.0), atol=1.5)
    mesh = read_mesh(Path(second["surfaces"][0]))
    assert mesh.volume / 1000.0 == pytest.approx(second["volume_ml"], rel=1e-3)
    # Another file of the same name is another case.
    skull = read_volume(sphere)
    write_volume(skull.with_voxels(np.maximum(skull.voxels, np.roll(skull.voxels, 1, axis=2))), sphere)
    _, progress = asked(client, request)
    assert "read" in [message.stage for message in progress]


def test_a_superseded_preview_is_left_and_the_worker_stays(client: Engine, files: Files, tmp_path: Path) -> None:
    request = PreviewImplant(files.sphere, files.hole, tmp_path)
    asked(client, request)
    assert client.hello is not None
    process = client.hello.process
    jobs = [client.ask(replace(request, design={"gap": 0.1 * step})) for step in range(1, 8)]
    for job in jobs[:-1]:
        client.cancel(job)
    told = answers(until_answered(client, *jobs))
    assert [isinstance(entry, Result) for entry in sorted(told, key=lambda entry: entry.id)] == [False] * 6 + [True]
    assert client.hello.process == process


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"design": {"gap": 9}}, "gap 9 mm"),
        ({"design": {"colour": "red"}}, "colour"),
        ({"formats": ("doc",)}, "format"),
        ({"formats": ("dicom-seg",)}, "series is needed"),
        ({"skull": Path("/nowhere/skull.nrrd")}, "skull.nrrd"),
    ],
)
def test_what_cannot_be_made_is_the_users_to_mend(
    client: Engine, files: Files, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    job = client.ask(replace(MakeImplant(files.sphere, files.hole, tmp_path), **change))
    (failure,) = [entry for entry in until_answered(client, job) if isinstance(entry, Failure)]
    assert failure.code == "user"
    assert words in f"{failure.where} {failure.problem}"


def test_a_job_is_cancelled_at_any_stage_within_two_seconds(client: Engine, files: Files, tmp_path: Path) -> None:
    # From the first stage on, as far as the test may take.
    requests: tuple[tuple[Arguments, int], ...] = (
        (SegmentSkull(files.ct, tmp_path / "skull"), 3),
        (Reconstruct(files.skull, tmp_path / "network", device="cpu"), 5),
        (Reconstruct(files.skull, tmp_path / "mirror", "mirror"), 1),
        (MakeImplant(files.sphere, files.hole, tmp_path / "implant"), 2),
    )
    left = 0
    for request, stages in requests:
        for stage in range(stages):
            job = client.ask(request)
            told: list[Any] = []
            while sum(isinstance(entry, Progress) for entry in told) <= stage and not answers(told):
                told += client.poll()
                time.sleep(0.005)
            # On a busy machine a stage may be over before it is heard of, and the job with it.
            if answers(told):
                continue
            client.cancel(job)
            since = time.monotonic()
            (failure,) = answers(until_answered(client, job))
            assert isinstance(failure, Failure)
            assert failure.code == "cancelled"
            assert time.monotonic() - since < 2.0
            left += 1
    assert left >= len(requests)
    assert not list(tmp_path.glob("network/defect*"))


def answers(told: list[Any]) -> list[Any]:
    return [entry for entry in told if isinstance(entry, Result | Failure)]


def test_the_estimate_is_that_of_the_plan_and_grows_with_the_grid(client: Engine) -> None:
    small, _ = asked(client, Estimate((100, 100, 100), device="cpu"))
    large, _ = asked(client, Estimate((500, 500, 500), device="cpu"))
    assert small["fits"]
    assert small["main_free"] > small["main_needed"] > small["device_needed"] > 1e6
    assert large["main_needed"] - small["main_needed"] > 124_000_000
    huge, _ = asked(client, Estimate((40_000, 10_000, 10_000), "mirror"))
    assert not huge["fits"]
    assert (small["advice"], huge["advice"]) == (ENOUGH, LARGE_VOLUME)


@pytest.fixture
def two_passes(tmp_path: Path, small_manifest: ModelManifest) -> Path:
    """A package with a coarse and a fine pass."""
    entries = small_manifest.networks
    arguments = {**entries["coarse"].arguments, "in_channels": 2}
    coarse = replace(entries["coarse"], arguments=arguments, input_channels=COARSE_CHANNELS)
    manifest = replace(small_manifest, networks={**entries, "coarse": coarse}, post_processing={})
    weights = {
        name: build_network(entry.architecture, entry.arguments).state_dict()
        for name, entry in manifest.networks.items()
    }
    folder = tmp_path / manifest.name
    write_package(folder, manifest, weights)
    return folder


def silent(stage: str, fraction: float | None = None) -> None:
    """Progress that nobody asked for."""


def test_the_plan_of_two_passes_gives_the_window(two_passes: Path) -> None:
    predictor = Predictor(load_package(two_passes), torch.device("cpu"))
    plan = network_plan(predictor, (100, 100, 100))
    assert plan["window"] == [64, 64, 64]
    assert plan["fits"]


def test_a_model_stays_warm_until_another_is_asked_for(two_passes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Path] = []

    def counted(folder: Path) -> model_package.ModelPackage:
        loaded.append(folder)
        return load_package(folder)

    monkeypatch.setattr(model_package, "load_package", counted)
    estimate = Operations().table()["estimate"]
    small = to_json(Estimate((9, 9, 9), model=str(two_passes), device="cpu"))
    for arguments in (small, small, to_json(Estimate((9, 9, 9), device="cpu")), small, small):
        estimate(arguments, silent)
    assert loaded == [two_passes, find_package(DEFAULT_MODEL), two_passes]
    manifest = two_passes / MANIFEST_FILE
    manifest.write_text(manifest.read_text().replace("1.2.3", "1.2.4"))
    estimate(small, silent)
    assert len(loaded) == 4


def test_a_model_is_brought_in_once(two_passes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "user_folder", lambda: tmp_path / "own")
    install = Operations().table()["install_model"]
    content = install(to_json(InstallModel(two_passes)), silent)
    assert content == {"name": two_passes.name, "folder": str(tmp_path / "own" / two_passes.name)}
    assert load_package(Path(content["folder"])).manifest.version == "1.2.3"
    with pytest.raises(UserError, match="there already"):
        install(to_json(InstallModel(two_passes)), silent)
    assert install(to_json(InstallModel(two_passes, replace=True)), silent) == content
