"""The report of an implant: its maps and pictures against geometry, its page and its PDF against what they tell."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import fields, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path

import lxml.html
import numpy as np
import pytest
import trimesh
from PIL import Image
from pypdf import PdfReader
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.picture import facing_camera
from CranialReconstructionLib.imaging.raycast import Camera
from CranialReconstructionLib.implant.checks import Check
from CranialReconstructionLib.implant.design import CutPlane, Design, Flange, Hole, PerfusionHoles
from CranialReconstructionLib.implant.making import make_implants
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.report import sections
from CranialReconstructionLib.implant.report.as_html import html_of
from CranialReconstructionLib.implant.report.as_pdf import write_pdf
from CranialReconstructionLib.implant.report.colour_scale import EVEN, UNKNOWN, ColourScale
from CranialReconstructionLib.implant.report.contents import ReportContents
from CranialReconstructionLib.implant.report.document import Document, Remark
from CranialReconstructionLib.implant.report.maps import fit_map, thickness_map
from CranialReconstructionLib.implant.report.parameters import CHOSEN, LABELS, OURS, parameter_table
from CranialReconstructionLib.implant.report.raster import MeshScene
from CranialReconstructionLib.implant.report.sections import stamp_of
from CranialReconstructionLib.implant.report.writing import write_report

UP = (0.0, 0.0, 1.0)
HEAD = SphericalSkull(hole_radius=14.0)
GAP, THICKNESS = 0.6, 4.0
MADE = datetime(2026, 3, 4, 15, 30)
DIGEST = "0123456789abcdef" * 4
EVIL = '<script>alert("1")</script> & Müller'
PATIENT = {"Name": "Doe & <b>Sons</b>", "Patient ID": "QX-4711"}
SECTIONS = ["Summary", "In place", "Checks", "Implant", "Measures", "Design", "Records", "Approval"]


@pytest.fixture(scope="module")
def contents() -> ReportContents:
    design = Design(gap=GAP, thickness=THICKNESS, name=EVIL, number=3)
    skull, defect = HEAD.masks(grid_around(UP, 80.0, (0.8, 0.8, 0.8), 26.0))
    return ReportContents(
        implants=make_implants(skull, defect, design)[0],
        design=design,
        skull=skull,
        defect=defect,
        frame="LPS",
        files={"implant.stl": DIGEST},
        inputs={"skull (<skull>.nrrd)": DIGEST[::-1]},
        versions={"cranial": "9.8.7"},
        warnings=["slices are 2 mm apart"],
        forced=False,
        patient={},
    )


@pytest.fixture(scope="module")
def failing(contents: ReportContents) -> ReportContents:
    (implant,) = contents.implants
    bad = Check("made-up check", "0.10 mm", "1 mm", "fail")
    return replace(contents, implants=[replace(implant, checks=(*implant.checks, bad))], forced=True, patient=PATIENT)


@pytest.fixture(scope="module")
def folder(contents: ReportContents, failing: ReportContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the passing implant, and in ``forced`` that of the failing one."""
    folder = tmp_path_factory.mktemp("report")
    write_report(contents, folder, MADE)
    # The pictures would be the same.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "head_gallery", lambda *given: Remark("pictures"))
        patch.setattr(sections, "implant_galleries", lambda *given: [])
        write_report(failing, folder / "forced", MADE)
    return folder


def page(folder: Path) -> lxml.html.HtmlElement:
    return lxml.html.fromstring((folder / "report.html").read_text(encoding="utf-8"))


def pdf_pages(folder: Path) -> list[str]:
    return [" ".join(each.extract_text().split()) for each in PdfReader(folder / "report.pdf").pages]


def texts(root: lxml.html.HtmlElement, path: str) -> list[str]:
    return [element.text_content() for element in root.xpath(path)]


def test_the_thickness_of_a_shell(contents: ReportContents) -> None:
    mesh = contents.implants[0].pieces[0]
    thickness = thickness_map(mesh)
    assert thickness.shape == (len(mesh.vertices),)
    within = HEAD.beside_wall(mesh.vertices, UP) < -4.0
    assert np.isfinite(thickness[within]).all()
    assert thickness[within] == pytest.approx(THICKNESS, abs=0.1)
    # At an edge it is never more than what the sheet has.
    assert np.nanmedian(thickness[~within]) < THICKNESS + 0.1


def test_the_fit_of_walls_at_a_known_gap(contents: ReportContents) -> None:
    implant = contents.implants[0]
    mesh = implant.pieces[0]
    fit = fit_map(mesh, implant.solid.bone)
    beside, radius = HEAD.beside_wall(mesh.vertices, UP), np.linalg.norm(mesh.vertices, axis=1)
    wall = (beside > -GAP - 0.4) & (radius > 77.0) & (radius < 79.0)
    assert wall.sum() > 100
    assert fit[wall] == pytest.approx(GAP, abs=0.1)
    near = (beside > -2.5) & (radius > 77.0) & (radius < 79.0)
    # Against the ideal wall the scan's own steps count too.
    assert np.abs(fit[near] + beside[near]).max() < 0.4
    assert np.isnan(fit[beside < -4.0]).all()


def test_in_bone_the_fit_is_negative_and_beyond_the_bench_unknown(contents: ReportContents) -> None:
    implant = contents.implants[0]
    mesh = implant.pieces[0]
    moved = Mesh(mesh.vertices + np.array([2.0, 0.0, 0.0]), mesh.triangles)
    assert np.nanmin(fit_map(moved, implant.solid.bone)) == pytest.approx(GAP - 2.0, abs=0.3)
    far = Mesh(mesh.vertices + 200.0, mesh.triangles)
    assert np.isnan(fit_map(far, implant.solid.bone)).all()


def test_a_ball_is_seen_where_geometry_says() -> None:
    solid = trimesh.creation.icosphere(subdivisions=4, radius=20.0)
    centre = np.array([5.0, -3.0, 8.0])
    mesh = Mesh(solid.vertices + centre, solid.faces.astype(np.int64))
    outward = np.array([0.48, -0.6, 0.64])
    camera = facing_camera(centre, outward)
    seen = MeshScene(mesh).look(camera, 100, 50.0)
    sight = seen.sight
    away = sight.places - centre
    assert sight.met.sum() * 0.25 == pytest.approx(np.pi * 400.0, rel=0.01)
    assert np.linalg.norm(away, axis=1) == pytest.approx(20.0, abs=0.06)
    assert ((away / 20.0) * sight.normals).sum(axis=1).min() > 0.995
    assert (sight.normals @ camera.forward).max() < 0.1
    assert sight.depths == pytest.approx(away @ camera.forward, abs=1e-3)
    # A linear map comes out as it is, and a pixel lies where its ray goes.
    assert seen.values(mesh.vertices @ outward) == pytest.approx(sight.places @ outward, abs=1e-3)
    rows, columns = np.nonzero(sight.met)
    assert away @ camera.right == pytest.approx((columns + 0.5) * 0.5 - 25.0, abs=1e-3)
    assert away @ camera.up == pytest.approx(25.0 - (rows + 0.5) * 0.5, abs=1e-3)


def test_the_nearer_of_two_surfaces_is_seen_without_gaps_between_triangles() -> None:
    # Two squares, each of two large triangles, with a border that runs through the middles of pixels.
    near = np.array([[-8.0, -8.0, 2.0], [8.0, -8.0, 2.0], [8.0, 8.0, 2.0], [-8.0, 8.0, 2.0]])
    vertices = np.concatenate((near * [1.5, 1.5, 0.0], near))
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    camera = Camera(np.zeros(3), np.array([0.0, 0.0, -1.0]), np.array([0.0, 1.0, 0.0]))
    sight = MeshScene(Mesh(vertices, triangles)).look(camera, 40, 40.0).sight
    height = np.full((40, 40), np.nan)
    height[sight.met] = sight.places[:, 2]
    expected = np.full((40, 40), np.nan)
    expected[8:32, 8:32] = 0.0
    expected[12:28, 12:28] = 2.0
    np.testing.assert_allclose(height, expected, atol=1e-6)


def test_colours_of_values() -> None:
    scale = ColourScale(0.0, 2.0, "mm", below=("#d1007a", "in bone"), marks=((0.5, "design"),))
    first, last, beyond, unknown, under = scale.colours(np.array([0.0, 2.0, 9.0, np.nan, -0.1]))
    assert "#{:02x}{:02x}{:02x}".format(*first.astype(int)) == EVEN[0]
    assert "#{:02x}{:02x}{:02x}".format(*last.astype(int)) == EVEN[-1]
    assert (beyond == last).all()
    assert (unknown == UNKNOWN).all()
    assert tuple(under) == (0xD1, 0x00, 0x7A)
    # In a grey print too, more is lighter.
    assert (np.diff(scale.colours(np.linspace(0.0, 2.0, 50)) @ [0.2126, 0.7152, 0.0722]) > 0.0).all()
    bar = np.asarray(scale.bar()).reshape(-1, 3)
    assert {tuple(first.astype(int)), tuple(last.astype(int))} <= set(map(tuple, bar.tolist()))


def test_every_parameter_of_a_design_is_told() -> None:
    design = Design(
        material="titanium",
        gap=0.7,
        axis=(0.0, 0.6, -0.8),
        perfusion=PerfusionHoles(1.7),
        holes=(Hole((1.5, 2.5, 3.5)),),
        flange=Flange(9.0, 0.7),
        cuts=(CutPlane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)),),
    )
    table = parameter_table(design)
    told = {name: (value, origin) for name, value, origin in table.rows}
    assert list(told) == [LABELS[entry.name][0] for entry in fields(Design)]
    assert told["Gap to the edge of the bone"] == ("0.7 mm", CHOSEN)
    assert told["Bevel of the walls to the axis"] == ("0 degrees", OURS)
    assert told["Thickness"] == ("0.8 mm, as usual for titanium", OURS)
    assert told["Insertion axis, from outside to inside (RAS)"] == ("0 0.6 -0.8", CHOSEN)
    assert told["Perfusion holes"][0] == "diameter 1.7, pitch 10, margin 5"
    assert told["Flange on the outer table"][0] == "width 9, thickness 0.7"
    thinnest = {name: value for name, value, _ in parameter_table(Design(flange=Flange(9.0))).rows}
    assert thinnest["Flange on the outer table"] == "width 9, thickness 1.5, the least for PEEK"
    assert told["Single holes (places in RAS)"][0] == "at 1.5 2.5 3.5, diameter 2"
    assert "anatomical" in {row[0]: row[1] for row in parameter_table(Design("bone-like")).rows}["Thickness"]


def test_the_page_tells_everything(folder: Path, contents: ReportContents) -> None:
    root = page(folder)
    assert texts(root, "//h2") == SECTIONS
    assert root.get("lang") == "en"
    told = root.text_content()
    for check in contents.checks:
        assert [check.value, check.limit, check.verdict.upper()] in [
            [cell.text_content() for cell in row.findall("td")]
            for row in root.xpath("//tr[th[@scope='row']]")
            if row.find("th").text_content() == check.name
        ]
    assert {label for label, _, _ in LABELS.values()} <= set(texts(root, "//th[@scope='row']"))
    for word in (DIGEST, DIGEST[::-1], "9.8.7", "slices are 2 mm apart", "iteration 3", "Research use only", "LPS"):
        assert word in told
    volume = sum(piece.volume for piece in contents.implants[0].pieces) / 1000.0
    assert f"{volume:.2f} ml" in told
    assert f"{1.3 * volume:.1f} g" in told
    assert texts(root, "//div[@class='sign']/div") == ["Name", "Date", "Signature"]
    assert not root.xpath("//table[not(thead/tr/th[@scope='col'])]")


def test_names_stay_text_and_nothing_is_fetched(folder: Path) -> None:
    for place in (folder, folder / "forced"):
        source, root = (place / "report.html").read_text(encoding="utf-8"), page(place)
        assert root.xpath("//script | //b | //link | //iframe") == []
        assert texts(root, "//h1") == [EVIL]
        assert "skull (<skull>.nrrd)" in texts(root, "//th")
        without_pictures = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", source)
        assert "http" not in without_pictures
        assert "//" not in without_pictures
        assert not re.search(r"url\(|@import|\bsrc=\"(?!\")", without_pictures)


def test_pictures_are_there_with_words_for_them(folder: Path) -> None:
    images = page(folder).xpath("//img")
    assert len(images) == 6 + 2 + 2 + 4 + 1 + 3
    for image in images:
        kind, _, data = image.get("src").partition(",")
        assert kind == "data:image/png;base64"
        picture = Image.open(BytesIO(b64decode(data, validate=True)))
        assert picture.format == "PNG"
        assert picture.size == (int(image.get("width")), int(image.get("height")))
        assert np.asarray(picture.convert("L")).std() > 5.0
        assert len(image.get("alt")) > 20
        assert image.getparent().find("figcaption").text_content()


def test_the_implant_is_blue_where_it_is_seen_and_hidden_where_not(folder: Path) -> None:
    blue = {}
    for figure in page(folder).xpath("//section[h2='In place']//figure"):
        picture = Image.open(BytesIO(b64decode(figure.find("img").get("src").partition(",")[2])))
        pixels = np.asarray(picture.convert("RGB")).astype(int)
        blue[figure.find("figcaption").text_content()] = int((pixels[..., 2] - pixels[..., 0] > 60).sum())
    assert list(blue) == ["Front", "Back", "Right side", "Left side", "Top", "Straight at the implant"]
    assert blue["Top"] > 5_000
    assert blue["Straight at the implant"] > 5_000
    assert blue["Front"] < 0.3 * blue["Top"]


def test_a_failure_cannot_be_overlooked(folder: Path, contents: ReportContents, failing: ReportContents) -> None:
    assert stamp_of(contents) is None
    assert page(folder).xpath("//*[@class='stamp']") == []
    (stamp,) = texts(page(folder / "forced"), "//*[@class='stamp']")
    assert stamp == stamp_of(failing) == "FAILED CHECKS: made-up check. Written by force."
    assert all("FAILED CHECKS: made-up check" in text for text in pdf_pages(folder / "forced"))
    assert not any("FAILED" in text for text in pdf_pages(folder))
    assert stamp_of(replace(failing, forced=False)) == "FAILED CHECKS: made-up check. Not fit to be made."


def test_the_patient_is_named_only_when_asked_for(folder: Path) -> None:
    with_patient = page(folder / "forced")
    assert texts(with_patient, "//h2")[1] == "Patient"
    assert set(PATIENT.values()) <= set(texts(with_patient, "//td"))
    assert "Doe & <b>Sons</b>" in " ".join(pdf_pages(folder / "forced"))
    assert "Patient" not in page(folder).text_content()
    assert "Patient" not in " ".join(pdf_pages(folder))


def test_the_pdf_tells_the_same_on_numbered_pages(folder: Path, contents: ReportContents) -> None:
    reader = PdfReader(folder / "report.pdf")
    width, height = reader.pages[0].mediabox.width, reader.pages[0].mediabox.height
    assert (float(width), float(height)) == pytest.approx((595.3, 841.9), abs=0.1)
    pages = pdf_pages(folder)
    assert all(f"Page {number} of {len(pages)}" in text for number, text in enumerate(pages, start=1))
    assert all("Research use only" in text for text in pages)
    told = " ".join(pages)
    places = [told.index(f"{heading} ") for heading in SECTIONS]
    assert places[0] < places[-1]
    for check in contents.checks:
        assert f"{check.name} {check.value}" in told
    assert '<script>alert("1")</script> & Müller' in told
    assert DIGEST in told.replace(" ", "")
    assert sum(len(each.images) for each in reader.pages) == 18


def test_letters_that_the_pdf_lacks_do_no_harm(tmp_path: Path) -> None:
    document = Document("Őz 頭\u0007 Łódź", "iteration 1", "notice", None, ())
    write_pdf(document, tmp_path / "report.pdf")
    assert "Oz ?? Łódz" in pdf_pages(tmp_path)[0]
    assert texts(lxml.html.fromstring(html_of(document)), "//h1") == ["Őz 頭 Łódź"]


def test_a_place_that_cannot_be_written_is_named(
    contents: ReportContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Document("title", "subtitle", "notice", None, ())
    monkeypatch.setattr("CranialReconstructionLib.implant.report.writing.document_of", lambda *given: empty)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(contents, tmp_path / "file", MADE)
