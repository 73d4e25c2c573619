"""Mesh files: read back by trimesh, and by our own reader."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.export.about import About, Frame
from CranialReconstructionLib.implant.export.formats import DICOM_SUFFIX, WRITERS, parse_formats, write_mesh
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_file import read_mesh

MESH_FORMATS = ["stl", "ply", "obj", "3mf", "glb"]
READ_BACK = ["stl", "ply", "obj"]
NOTICE = "Research use only"
FLIP = {"LPS": [-1.0, -1.0, 1.0], "RAS": [1.0, 1.0, 1.0]}
CORE = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"


def crooked(seed: int = 1, middle: tuple[float, float, float] = (31.0, -52.0, 83.0)) -> Mesh:
    """A closed convex surface without any symmetry, far from the origin."""
    points = np.random.default_rng(seed).normal(size=(40, 3)) * [12.0, 7.0, 4.0]
    hull = trimesh.convex.convex_hull(points + middle)
    # Whole sixty-fourths fit into single precision and into six decimals: then a round trip is exact.
    return Mesh(np.round(hull.vertices * 64.0) / 64.0, np.asarray(hull.faces, dtype=np.int64))


def two_pieces() -> list[Mesh]:
    return [crooked(1), crooked(2, (-40.0, 20.0, 10.0))]


def corner_set(vertices: np.ndarray, triangles: np.ndarray) -> set[tuple[float, ...]]:
    """The triangles as sets of coordinates; each starts at its least corner, so winding counts and order not."""
    found = set()
    for corners in np.round(np.asarray(vertices, dtype=np.float64)[np.asarray(triangles)], 6) + 0.0:
        first = min(range(3), key=lambda at: tuple(corners[at]))
        found.add(tuple(np.roll(corners, -first, axis=0).ravel().tolist()))
    return found


def loaded(path: Path) -> list[trimesh.Trimesh]:
    """The pieces of a file in millimetres of its frame, one by one, as trimesh sees them."""
    if path.suffix == ".glb":
        return list(trimesh.load_scene(path).geometry.values())
    return list(trimesh.load_scene(path).dump())


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
@pytest.mark.parametrize("name", MESH_FORMATS)
def test_trimesh_reads_the_same_triangles_in_the_stated_frame(tmp_path: Path, name: str, frame: str) -> None:
    mesh = crooked()
    path = tmp_path / f"implant.{name}"
    write_mesh(mesh, path, About(frame=frame))
    (seen,) = loaded(path)
    assert corner_set(seen.vertices, seen.faces) == corner_set(mesh.vertices * FLIP[frame], mesh.triangles)
    seen.merge_vertices()
    assert seen.is_watertight
    assert seen.volume == pytest.approx(mesh.volume, rel=1e-5)
    assert seen.volume > 0.0


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
@pytest.mark.parametrize("name", READ_BACK)
def test_our_reader_brings_back_ras_whatever_the_frame(tmp_path: Path, name: str, frame: str) -> None:
    mesh = crooked()
    path = tmp_path / f"implant.{name}"
    write_mesh(mesh, path, About(frame=frame))
    back = read_mesh(path)
    assert len(back.vertices) == len(mesh.vertices)
    assert corner_set(back.vertices, back.triangles) == corner_set(mesh.vertices, mesh.triangles)
    assert back.volume == pytest.approx(mesh.volume, rel=1e-5)


IN_SLICER = """
import json, sys
import slicer

bounds = {}
for path in sys.argv[1:]:
    scene = slicer.vtkMRMLScene()
    node, storage = slicer.vtkMRMLModelNode(), slicer.vtkMRMLModelStorageNode()
    scene.AddNode(node)
    scene.AddNode(storage)
    storage.SetFileName(path)
    assert storage.ReadData(node), path
    bounds[path] = node.GetPolyData().GetBounds()
print(json.dumps(bounds))
"""


def test_slicer_puts_the_mesh_where_it_was(tmp_path: Path) -> None:
    mesh = crooked()
    paths = []
    for name in READ_BACK:
        for frame in get_args(Frame):
            paths.append(str(tmp_path / f"{frame}.{name}"))
            write_mesh(mesh, Path(paths[-1]), About(frame=frame))
    # In a process of its own: Slicer brings its own VTK along.
    done = subprocess.run([sys.executable, "-c", IN_SLICER, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    wanted = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)], axis=1).ravel()
    assert list(seen) == paths
    for path in paths:
        assert seen[path] == pytest.approx(wanted, abs=1e-4), path


@pytest.mark.parametrize("name", MESH_FORMATS)
def test_every_format_says_frame_notice_name_and_number(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"implant.{name}"
    write_mesh(crooked(), path, About(name="left flap", number=7))
    if name == "3mf":
        with zipfile.ZipFile(path) as package:
            content = package.read("3D/3dmodel.model")
    else:
        content = path.read_bytes()
    stated = content if name != "glb" else content.replace(b'"space":"LPS"', b"SPACE=LPS")
    for wanted in (b"SPACE=LPS", NOTICE.encode(), b"left flap design 7"):
        assert wanted in stated


def test_several_pieces_stay_apart_where_the_format_knows_objects(tmp_path: Path) -> None:
    pieces = two_pieces()
    for name in ("3mf", "glb", "obj"):
        path = tmp_path / f"implant.{name}"
        write_mesh(pieces, path, About(frame="RAS"))
        if name == "obj":
            seen = list(trimesh.load_scene(path, split_objects=True, group_material=False).geometry.values())
        else:
            seen = loaded(path)
        # trimesh keeps no order.
        assert sorted(sorted(corner_set(one.vertices, one.faces)) for one in seen) == sorted(
            sorted(corner_set(piece.vertices, piece.triangles)) for piece in pieces
        )


@pytest.mark.parametrize("name", READ_BACK)
def test_several_pieces_become_shells_of_one_mesh(tmp_path: Path, name: str) -> None:
    pieces = two_pieces()
    write_mesh(pieces, tmp_path / f"implant.{name}", About())
    back = read_mesh(tmp_path / f"implant.{name}")
    assert len(trimesh.Trimesh(back.vertices, back.triangles).split()) == 2
    assert back.volume == pytest.approx(sum(piece.volume for piece in pieces), rel=1e-5)


def test_stl_header_is_80_bytes_and_begins_as_slicer_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "implant.stl"
    write_mesh(crooked(), path, About(name="Schädel – très long\n" * 9, comments=("solid",)))
    content = path.read_bytes()
    assert content.startswith(b"SPACE=LPS")
    assert NOTICE.encode() in content[:80]
    assert len(content) == 84 + 50 * struct.unpack("<I", content[80:84])[0]
    assert content[:80].isascii()


def test_a_name_cannot_break_out_of_the_comments(tmp_path: Path) -> None:
    mesh = crooked()
    about = About(name='a"<&>\nv 9 9 9\nelement vertex 9\n\\', comments=("first\r\nf 1 2 3",))
    for name in MESH_FORMATS:
        path = tmp_path / f"implant.{name}"
        write_mesh(mesh, path, about)
        (seen,) = loaded(path)
        assert len(seen.faces) == len(mesh.triangles)


def test_three_mf_states_unit_title_number_and_builds_every_piece(tmp_path: Path) -> None:
    path = tmp_path / "implant.3mf"
    write_mesh(two_pieces(), path, About(name="flap & rim", number=3))
    with zipfile.ZipFile(path) as package:
        assert package.namelist()[0] == "[Content_Types].xml"
        target = ElementTree.fromstring(package.read("_rels/.rels"))[0].get("Target")
        assert target is not None
        model = ElementTree.fromstring(package.read(target.lstrip("/")))
    metadata = {entry.get("name"): entry.text for entry in model.iter(f"{CORE}metadata")}
    assert model.get("unit") == "millimeter"
    assert metadata["Title"] == "flap & rim design 3"
    assert metadata["cranial:DesignNumber"] == "3"
    assert metadata["Designer"]
    assert NOTICE in (metadata["Description"] or "")
    objects = {entry.get("id"): entry.get("name") for entry in model.iter(f"{CORE}object")}
    items = [entry.get("objectid") for entry in model.iter(f"{CORE}item")]
    assert list(objects.values()) == ["flap & rim design 3 piece 1", "flap & rim design 3 piece 2"]
    assert items == list(objects)


def test_equal_meshes_give_equal_three_mf_files(tmp_path: Path) -> None:
    for name in ("one.3mf", "two.3mf"):
        write_mesh(crooked(), tmp_path / name, About())
    assert (tmp_path / "one.3mf").read_bytes() == (tmp_path / "two.3mf").read_bytes()


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
def test_glb_shows_the_head_upright_in_metres(tmp_path: Path, frame: str) -> None:
    mesh = crooked()
    path = tmp_path / "implant.glb"
    write_mesh(mesh, path, About(frame=frame))
    right, anterior, superior = mesh.vertices.T
    # glTF: +Y up, the front towards +Z; then the patient's left is +X.
    upright = np.stack([-right, superior, anterior], axis=1) / 1000.0
    seen = trimesh.load_scene(path).to_geometry()
    assert np.allclose(seen.vertices, upright, atol=1e-6)
    assert np.array_equal(seen.faces, mesh.triangles)


def test_glb_keeps_the_facts_as_extras(tmp_path: Path) -> None:
    path = tmp_path / "implant.glb"
    write_mesh(crooked(), path, About(name="flap", number=2, comments=("PEEK",)))
    content = path.read_bytes()
    magic, version, total, length = struct.unpack("<4sIII", content[:16])
    document = json.loads(content[20 : 20 + length])
    assert (magic, version, total) == (b"glTF", 2, len(content))
    assert document["nodes"][0]["extras"] == {
        "space": "LPS",
        "unit": "mm",
        "notice": NOTICE,
        "name": "flap",
        "design_number": 2,
        "comments": ["PEEK"],
    }


@pytest.mark.parametrize("name", sorted([*WRITERS, DICOM_SUFFIX]))
def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        write_mesh(crooked(), blocked / f"implant.{name}", About())
    (tmp_path / f"folder.{name}").mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        write_mesh(crooked(), tmp_path / f"folder.{name}", About())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", f"folder.{name}"]


def test_an_interrupted_write_keeps_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "implant.3mf"
    path.write_bytes(b"former")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_mesh(crooked(), path, About())
    assert [entry.name for entry in tmp_path.iterdir()] == ["implant.3mf"]
    assert path.read_bytes() == b"former"


def test_unknown_formats_frames_and_empty_meshes_are_refused(tmp_path: Path) -> None:
    empty = Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    assert parse_formats(" STL, .3mf,stl") == ("stl", "3mf")
    assert parse_formats("dicom-seg,DICOM-STL") == ("dicom-seg", "dicom-stl")
    for text, problem in (("stl,step", "step"), (" , ", "no format"), ("dcm", "dicom-stl")):
        with pytest.raises(UserError, match=problem):
            parse_formats(text)
    with pytest.raises(UserError, match="not known"):
        write_mesh(crooked(), tmp_path / "implant.step", About())
    with pytest.raises(UserError, match="frame"):
        About(frame="LAS")
    for pieces in (empty, [], [crooked(), empty]):
        with pytest.raises(UserError, match="no surface"):
            write_mesh(pieces, tmp_path / "implant.stl", About())


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
@pytest.mark.parametrize("name", ["stl", "ply"])
def test_files_of_others_are_read_and_taken_as_lps(tmp_path: Path, name: str, encoding: str) -> None:
    mesh = crooked()
    path = tmp_path / f"other.{name}"
    kind = "stl_ascii" if (name, encoding) == ("stl", "ascii") else name
    options = {"encoding": "ascii" if encoding == "ascii" else "binary"} if name == "ply" else {}
    trimesh.Trimesh(mesh.vertices * FLIP["LPS"], mesh.triangles).export(path, file_type=kind, **options)
    back = read_mesh(path)
    assert len(back.vertices) == len(mesh.vertices)
    assert corner_set(back.vertices, back.triangles) == corner_set(mesh.vertices, mesh.triangles)


CUBE = list("000100110010001101111011")
QUADS = ["3 2 1 0", "4 5 6 7", "0 1 5 4", "1 2 6 5", "2 3 7 6", "3 0 4 7"]


@pytest.mark.parametrize("kind", ["ply ascii", "ply big endian", "obj", "obj counted backwards"])
def test_quads_are_cut_into_triangles(tmp_path: Path, kind: str) -> None:
    header = "comment SPACE=RAS\nelement vertex 8\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element face 6\nproperty list uchar int vertex_indices\nend_header\n"
    rows = "\n".join(" ".join(CUBE[at : at + 3]) for at in range(0, 24, 3))
    if kind == "ply ascii":
        path = tmp_path / "cube.ply"
        path.write_text(f"ply\nformat ascii 1.0\n{header}{rows}\n" + "".join(f"4 {quad}\n" for quad in QUADS))
    elif kind == "ply big endian":
        path = tmp_path / "cube.ply"
        content = f"ply\nformat binary_big_endian 1.0\n{header}".encode()
        content += np.array(CUBE, dtype=float).astype(">f4").tobytes()
        for quad in QUADS:
            content += b"\x04" + np.array(quad.split(), dtype=int).astype(">i4").tobytes()
        path.write_bytes(content)
    else:
        path = tmp_path / "cube.obj"
        first = 1 if kind == "obj" else -8
        faces = [" ".join(f"{int(corner) + first}/1/1" for corner in quad.split()) for quad in QUADS]
        vertices = "".join(f"v {row}\n" for row in rows.splitlines())
        path.write_text(f"# SPACE=RAS\n{vertices}" + "".join(f"f {face}\n" for face in faces))
    cube = read_mesh(path)
    assert len(cube.triangles) == 12
    assert cube.volume == pytest.approx(1.0)
    assert cube.vertices.max() == 1.0


@pytest.mark.parametrize("name", READ_BACK)
def test_files_cut_short_are_refused(tmp_path: Path, name: str) -> None:
    whole, path = tmp_path / f"whole.{name}", tmp_path / f"cut.{name}"
    write_mesh(crooked(), whole, About())
    content = whole.read_bytes()
    for length in (10, len(content) // 4, len(content) - 30 if name != "obj" else content.rindex(b" ")):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut short|damaged|no triangles"):
            read_mesh(path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.stl", None, "no such file"),
        ("empty.ply", b"", "empty"),
        ("mesh.step", b"ISO-10303-21;", "not known"),
        ("picture.stl", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "no STL"),
        ("words.ply", b"Dear reader", "no PLY"),
        ("words.obj", b"v one two three\n", "line 1"),
        ("far.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "does not hold"),
        ("nan.obj", b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n", "not numbers"),
        ("points.obj", b"v 0 0 0\nv 1 0 0\n", "no triangles"),
        ("open.stl", b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\n", "cut short"),
        ("head.ply", b"ply\nformat ascii 1.0\nelement vertex many\nend_header\n", "header is damaged"),
        ("cloud.ply", b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n", "no vertices"),
    ],
)
def test_what_is_no_mesh_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_mesh(tmp_path / name)
