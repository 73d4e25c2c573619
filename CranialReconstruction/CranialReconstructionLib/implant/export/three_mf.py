"""3MF, the format of 3D printing: units, names and notices, an object a piece.

3MF Core Specification 1.3: an OPC package (a zip file) with one XML part that holds the model.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import (
    CREATOR,
    HOMEPAGE,
    RESEARCH_USE_ONLY,
    About,
    Pieces,
    names_of,
    pieces_of,
    to_frame,
)
from CranialReconstructionLib.implant.mesh import Mesh

_MODEL_PART = "3D/3dmodel.model"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_CONTENT_TYPES = (
    _DECLARATION + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/>'
    "</Types>\n"
)
_RELATIONSHIPS = (
    _DECLARATION + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="model" Target="/{_MODEL_PART}" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/>'
    "</Relationships>\n"
)
# Names beside the specification's own need a namespace; ours is the project's page.
_OPENING = (
    '<model unit="millimeter" xml:lang="en-US" '
    'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
    f"xmlns:cranial={quoteattr(HOMEPAGE)}>\n"
)


def write_three_mf(pieces: Pieces, path: Path, about: About) -> None:
    """Write 3MF: millimetres in ``about.frame``; every piece an object of its own and an item to be built.

    Equal input gives an equal file, byte for byte: nothing in it is dated.

    Raises:
        UserError: nothing to write, or no right or space to write it.
    """
    meshes = pieces_of(pieces)
    model = "".join([_DECLARATION, _OPENING, *_metadata(about), *_objects(meshes, about), "</model>\n"])
    with whole_file(path) as part, zipfile.ZipFile(part, "w") as package:
        # The content types come first: some readers take the file's kind from there.
        for name, text in (
            ("[Content_Types].xml", _CONTENT_TYPES),
            ("_rels/.rels", _RELATIONSHIPS),
            (_MODEL_PART, model),
        ):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, text.encode("utf-8"))


def _metadata(about: About) -> list[str]:
    values = {
        "Title": about.title,
        "Designer": CREATOR,
        "Application": about.creator,
        "Description": "; ".join(about.lines),
        "LicenseTerms": RESEARCH_USE_ONLY,
        "cranial:DesignNumber": str(about.number),
        "cranial:Space": about.frame,
    }
    return [f"<metadata name={quoteattr(name)}>{escape(value)}</metadata>\n" for name, value in values.items()]


def _objects(meshes: list[Mesh], about: About) -> list[str]:
    text = ["<resources>\n"]
    numbered = list(enumerate(zip(meshes, names_of(meshes, about), strict=True), start=1))
    for number, (mesh, name) in numbered:
        vertices = to_frame(mesh.vertices, about.frame)
        text += [
            f'<object id="{number}" type="model" name={quoteattr(name)} partnumber={quoteattr(name)}><mesh>\n',
            "<vertices>\n",
            ('<vertex x="%.6f" y="%.6f" z="%.6f"/>\n' * len(vertices)) % tuple(vertices.ravel().tolist()),
            "</vertices>\n<triangles>\n",
            ('<triangle v1="%d" v2="%d" v3="%d"/>\n' * len(mesh.triangles)) % tuple(mesh.triangles.ravel().tolist()),
            "</triangles>\n</mesh></object>\n",
        ]
    items = [f'<item objectid="{number}" partnumber={quoteattr(name)}/>\n' for number, (_, name) in numbered]
    return [*text, "</resources>\n<build>\n", *items, "</build>\n"]
