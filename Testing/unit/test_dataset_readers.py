"""Readers find the cases of a layout; what is broken is listed with its reason, and stops nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid, read_case, read_labels
from CranialAugmentationTrainerLib.datasets.file_headers import grid_in_header
from CranialAugmentationTrainerLib.datasets.reading import READERS, read_data_set
from CranialAugmentationTrainerLib.datasets.skull_case import DataSet, SkullCase
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume


def mask(path: Path, side: int = 6, shift: float = 0.0) -> Path:
    voxels = np.zeros((side, side, side), dtype=np.uint8)
    voxels[1:4, 1:5, 2:] = 1
    matrix = np.diag([1.0, 1.0, 2.0, 1.0])
    matrix[0, 3] = shift
    write_volume(Volume(voxels, matrix), path)
    return path


def broken(data: DataSet) -> dict[str, str]:
    return {case.name: case.reason for case in data.broken}


@pytest.mark.parametrize("kind", ["", "bilateral", "random_1"])
def test_skullfix_and_skullbreak(tmp_path: Path, kind: str) -> None:
    for name in ("004", "001"):
        mask(tmp_path / "defective_skull" / kind / f"{name}.nrrd")
        mask(tmp_path / "implant" / kind / f"{name}.nrrd")
    mask(tmp_path / "complete_skull" / "001.nrrd")
    data = read_data_set(tmp_path)
    prefix = f"{kind}/" if kind else ""
    assert (data.kind, data.broken) == ("paired", ())
    assert [case.name for case in data.cases] == [f"{prefix}001", f"{prefix}004"]
    assert data.skulls == ("001", "004")
    first, second = data.cases
    assert first.paired
    assert first.implant == tmp_path / "implant" / kind / "001.nrrd"
    # SkullBreak keeps one complete skull for the defects of a head; it may be left out.
    assert first.complete == tmp_path / "complete_skull" / "001.nrrd"
    assert second.complete is None


def test_broken_pairs_are_listed(tmp_path: Path) -> None:
    for name in ("good", "alone", "empty", "shifted", "torn", "flat"):
        mask(tmp_path / "defective_skull" / f"{name}.nrrd")
        if name != "alone":
            mask(tmp_path / "implant" / f"{name}.nrrd", shift=3.0 if name == "shifted" else 0.0)
    (tmp_path / "implant" / "empty.nrrd").write_bytes(b"")
    (tmp_path / "defective_skull" / "torn.nrrd").write_bytes(b"NRRD0004\ntype: unsi")
    flat = (tmp_path / "implant" / "flat.nrrd").read_bytes().split(b"\n\n")[0].decode()
    assert "dimension: 3" in flat
    (tmp_path / "implant" / "flat.nrrd").write_text(
        "NRRD0004\ntype: uint8\ndimension: 2\nsizes: 2 2\nencoding: ascii\n\n1 0 1 0\n"
    )
    data = read_data_set(tmp_path)
    assert [case.name for case in data.cases] == ["good"]
    assert broken(data) == {
        "alone": "the case has no implant",
        "empty": "the file is empty",
        "flat": "it has 2 dimensions where 3 are needed",
        "shifted": "it lies on another grid than shifted.nrrd",
        "torn": "its header cannot be read",
    }
    assert data.usable() is data


def test_a_folder_without_one_good_case_is_refused(tmp_path: Path) -> None:
    mask(tmp_path / "defective_skull" / "007.nrrd")
    with pytest.raises(UserError, match="007: the case has no implant"):
        read_data_set(tmp_path).usable()
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="holds no case"):
        read_data_set(tmp_path / "other").usable()
    with pytest.raises(UserError, match="no such folder"):
        read_data_set(tmp_path / "nowhere")
    with pytest.raises(UserError, match=", ".join(READERS)):
        read_data_set(tmp_path, "dicom")


def test_mug500(tmp_path: Path) -> None:
    mask(tmp_path / "A0002" / "A0002_clear.nrrd")
    mask(tmp_path / "A0002" / "A0002_raw.nrrd")
    mask(tmp_path / "A0001" / "whatever.nrrd")
    (tmp_path / "A0003").mkdir()
    for name in ("one", "two"):
        mask(tmp_path / "A0004" / f"{name}.nrrd")
    mask(tmp_path / "B0001" / "B0001_clear.nrrd")
    for name in ("skull.stl", "Implant.stl"):
        (tmp_path / "B0001" / name).write_text("solid\nendsolid\n")
    (tmp_path / "readme").mkdir()
    data = read_data_set(tmp_path)
    assert data.kind == "MUG500+"
    assert [case.name for case in data.cases] == ["A0001", "A0002", "B0001"]
    assert data.cases[1].complete == tmp_path / "A0002" / "A0002_clear.nrrd"
    craniotomy = data.cases[2]
    assert (craniotomy.complete, craniotomy.paired) == (None, False)
    assert craniotomy.defective == tmp_path / "B0001" / "B0001_clear.nrrd"
    assert craniotomy.implant_surface == tmp_path / "B0001" / "Implant.stl"
    assert broken(data) == {
        "A0003": "the case has no volume",
        "A0004": "2 volumes and none is called A0004_clear.nrrd",
    }


def test_autoimplant_is_never_guessed(tmp_path: Path) -> None:
    mask(tmp_path / "000.nrrd")
    mask(tmp_path / "more" / "001.nrrd")
    clinical = read_data_set(tmp_path, "autoimplant2021")
    assert [(case.name, case.complete, case.paired) for case in clinical.cases] == [
        ("000", None, False),
        ("more/001", None, False),
    ]
    assert read_data_set(tmp_path).cases[0].complete == tmp_path / "000.nrrd"


def test_plain_folders(tmp_path: Path) -> None:
    mask(tmp_path / "whole.nii.gz")
    mask(tmp_path / "case" / "skull.nrrd")
    mask(tmp_path / "case" / "defect.nrrd")
    mask(tmp_path / "open" / "defective_skull.nrrd")
    mask(tmp_path / "healthy" / "complete_skull.nii.gz")
    mask(tmp_path / "odd" / "scan.nrrd")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    data = read_data_set(tmp_path)
    cases = {case.name: case for case in data.cases}
    assert list(cases) == ["case", "healthy", "open", "whole"]
    assert cases["case"].paired
    assert cases["whole"].complete == tmp_path / "whole.nii.gz"
    assert (cases["open"].implant, cases["open"].complete) == (None, None)
    assert list(broken(data)) == ["odd"]


def test_a_header_gives_the_grid_of_the_volume(tmp_path: Path) -> None:
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn * [0.5, 0.7, 1.25]
    matrix[:3, 3] = (-11.0, 5.0, 90.0)
    volume = Volume(np.ones((3, 4, 5), dtype=np.uint8), matrix)
    for name in ("a.nrrd", "a.nii.gz"):
        write_volume(volume, tmp_path / name)
        grid = grid_in_header(tmp_path / name)
        assert not isinstance(grid, str)
        assert grid.same_as(volume.grid)


def head(side: int, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> tuple[Volume, Volume]:
    """A hollow ball of 80 mm and a lump at its top, about ``shift``, on the papers' box."""
    grid = case_grid(side)
    places = grid.ras_of(np.argwhere(np.ones(grid.shape))[:, ::-1]).reshape(*grid.shape, 3)
    radius = np.linalg.norm(places - shift, axis=-1)
    lump = np.linalg.norm(places - np.add(shift, (0.0, 0.0, 76.0)), axis=-1) < 35.0
    shell = (radius < 80.0) & (radius > 66.0)
    return Volume(shell & ~lump, grid.ijk_to_ras), Volume(shell & lump, grid.ijk_to_ras)


def test_a_case_is_read_onto_the_papers_box(tmp_path: Path) -> None:
    skull, defect = head(64)
    shifted = skull.ijk_to_ras.copy()
    shifted[:3, 3] += (31.0, -7.0, 400.0)
    paths = [tmp_path / "skull.nrrd", tmp_path / "defect.nrrd"]
    for part, path in zip((skull, defect), paths, strict=True):
        write_volume(Volume(part.voxels.astype(np.uint8), shifted), path)
    shares = read_case(SkullCase("a", "a", defective=paths[0], implant=paths[1]), 32)
    assert shares.shape == (2, 32, 32, 32)
    assert shares.dtype == np.float32
    # Wherever the scanner put it, the head is brought to the box, and keeps its volume.
    for found, truth in zip(shares, (skull, defect), strict=True):
        assert found.sum() * 8.0**3 == pytest.approx(truth.voxels.sum() * 4.0**3, rel=0.02)
    up = (shares[1].sum((1, 2)) * np.arange(32)).sum() / shares[1].sum()
    assert up > 22.0
    whole = read_case(SkullCase("a", "a", complete=paths[0]), 16)
    assert not whole[1].any()


def test_a_label_volume_that_fills_the_box_stays_in_its_place(tmp_path: Path) -> None:
    skull, defect = head(16, (9.0, -14.0, 20.0))
    labels = (skull.voxels + 2 * defect.voxels).astype(np.uint8)
    path = tmp_path / "labels.nrrd"
    write_volume(skull.with_voxels(labels), path)
    shares = read_case(SkullCase("a", "a", labels=path), 16)
    np.testing.assert_array_equal(shares[0], skull.voxels)
    np.testing.assert_array_equal(shares[1], defect.voxels)
    write_volume(skull.with_voxels(labels * np.uint8(7)), path)
    with pytest.raises(UserError, match="it holds the labels 7, 14"):
        read_labels(path)
