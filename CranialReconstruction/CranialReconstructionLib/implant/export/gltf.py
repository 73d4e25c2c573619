"""Binary glTF, for viewers on the web and on phones.

glTF 2.0 (ISO/IEC 12113): metres, Y up, the front towards +Z. The vertices stay millimetres of the stated
frame; the root node scales and turns them, so that a viewer shows a head upright.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import (
    RESEARCH_USE_ONLY,
    About,
    Pieces,
    names_of,
    pieces_of,
    to_frame,
)
from CranialReconstructionLib.implant.mesh import Mesh

_FLOAT, _UNSIGNED_INT = 5126, 5125
_VERTICES, _INDICES = 34962, 34963
_HALF = math.sqrt(0.5)
# Quaternions (x, y, z, w) that put superior to +Y and anterior to +Z; the patient's left comes to +X.
_UPRIGHT = {"LPS": [-_HALF, 0.0, 0.0, _HALF], "RAS": [0.0, _HALF, _HALF, 0.0]}


def write_glb(pieces: Pieces, path: Path, about: About) -> None:
    """Write binary glTF: float32 millimetres in ``about.frame`` under a root that makes them upright metres.

    Raises:
        UserError: nothing to write, or no right or space to write it.
    """
    meshes = pieces_of(pieces)
    content = _Content()
    for mesh, name in zip(meshes, names_of(meshes, about), strict=True):
        content.add(mesh, name, about)
    facts = {
        "space": about.frame,
        "unit": "mm",
        "notice": RESEARCH_USE_ONLY,
        "name": about.name,
        "design_number": about.number,
        "comments": list(about.comments),
    }
    root = {
        "name": about.title,
        "rotation": _UPRIGHT[about.frame],
        "scale": [0.001] * 3,
        "children": list(range(1, len(meshes) + 1)),
        "extras": facts,
    }
    document = {
        "asset": {"version": "2.0", "generator": about.creator, "copyright": RESEARCH_USE_ONLY, "extras": facts},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [root, *({"name": entry["name"], "mesh": at} for at, entry in enumerate(content.meshes))],
        "meshes": content.meshes,
        "accessors": content.accessors,
        "bufferViews": content.views,
        "buffers": [{"byteLength": len(content.data)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode("utf-8")
    # A chunk's length is a multiple of four, filled up with spaces. Float32 and uint32 data always are.
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(content.data), b"BIN\0") + content.data
    with whole_file(path) as part:
        part.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


class _Content:
    """The one buffer, and what describes its parts."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []
        self.meshes: list[dict[str, Any]] = []

    def add(self, mesh: Mesh, name: str, about: About) -> None:
        vertices = to_frame(mesh.vertices, about.frame).astype("<f4")
        box = {"min": vertices.min(axis=0).tolist(), "max": vertices.max(axis=0).tolist()}
        position = self._accessor(vertices.tobytes(), _VERTICES, _FLOAT, "VEC3", len(vertices)) | box
        indices = self._accessor(
            mesh.triangles.astype("<u4").tobytes(), _INDICES, _UNSIGNED_INT, "SCALAR", mesh.triangles.size
        )
        first = len(self.accessors)
        self.accessors += [position, indices]
        self.meshes.append({"name": name, "primitives": [{"attributes": {"POSITION": first}, "indices": first + 1}]})

    def _accessor(self, data: bytes, target: int, component: int, kind: str, count: int) -> dict[str, Any]:
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), "target": target})
        self.data += data
        return {"bufferView": len(self.views) - 1, "componentType": component, "type": kind, "count": count}
