"""The pictures of a report: the head with its implants, each implant, its thickness, its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ImageFilter

from CranialReconstructionLib.imaging.head_grid import place_head
from CranialReconstructionLib.imaging.picture import (
    ANTERIOR,
    BONE,
    FILL,
    MISSING,
    RIGHT,
    SCENE_SPACING,
    SMOOTHING,
    SUPERIOR,
    facing_camera,
    shown_part,
)
from CranialReconstructionLib.imaging.pooling import pooled
from CranialReconstructionLib.imaging.raycast import BoneScene, Camera, Sight
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.export.about import joined
from CranialReconstructionLib.implant.making import Implant
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.report.colour_scale import ABOUT_ZERO, UNKNOWN, ColourScale
from CranialReconstructionLib.implant.report.document import Gallery, Picture
from CranialReconstructionLib.implant.report.maps import BONE_WITHIN, fit_map, thickness_map
from CranialReconstructionLib.implant.report.panels import RAYS, WORDS, coloured, dotted, encoded, lit, panel, side_of
from CranialReconstructionLib.implant.report.raster import MeshScene, MeshSight

Floats = npt.NDArray[np.floating]

# Of the sides from which a head is seen.
HEAD_SIDES = (
    ("Front", ANTERIOR), ("Back", -ANTERIOR), ("Right side", RIGHT), ("Left side", -RIGHT), ("Top", SUPERIOR),
)  # fmt: skip
HEAD_RAYS = 600  # to a side of a picture of the head, whose detail is coarser
CLOSE_UP = 1.25  # times the implant's size
LEANING = 80.0  # degrees off the way out, from where the walls are seen
COLLISION = ("#d1007a", "in bone")
LEAST_SCALE = 0.5  # at the ends of the scale of steps, mm


def head_gallery(skull: Volume, defect: Volume, implants: Sequence[Implant]) -> Gallery:
    """The head with the implants in place, from five sides and straight at the largest implant.

    From below nothing of the vault is seen: the sixth picture looks closely at the implant instead.
    """
    whole = skull.with_voxels((skull.voxels > 0) | (defect.voxels > 0))
    low, high = shown_part(whole, place_head(whole))
    target, extent = (low + high) / 2.0, float((high - low).max()) / FILL
    bone = BoneScene(pooled(skull, SCENE_SPACING), float(np.clip(1.2 * max(skull.spacing), *SMOOTHING)))
    scenes = [MeshScene(joined(implant.pieces)) for implant in implants]

    def seen(camera: Camera, width: float, title: str, from_where: str) -> Picture:
        sight, source = _nearest([scene.look(camera, HEAD_RAYS, width).sight for scene in scenes], bone, camera, width)
        colours = np.where((source < len(scenes))[:, None], MISSING, BONE)
        # Single rays that slip past bone at its border would shine white.
        picture = lit(sight, camera, colours).filter(ImageFilter.MedianFilter(3))
        description = f"The skull in the colour of bone with the implant in blue in place, {from_where}."
        return panel(picture, camera, width, title, description)

    pictures = [
        seen(facing_camera(target, outward), extent, title, f"seen from the {title.lower()}")
        for title, outward in HEAD_SIDES
    ]
    first = _View.of(implants[0])
    title = "Straight at the implant" if len(implants) == 1 else "Straight at implant 1"
    pictures.append(seen(first.camera, CLOSE_UP * first.extent, title, "seen closely along its way in"))
    return Gallery("The head from five sides, and straight at the implant", tuple(pictures))


def implant_galleries(implant: Implant, design: Design) -> list[Gallery]:
    """The implant alone, its thickness, its fit to the bone, and the step at its rim."""
    mesh = joined(implant.pieces)
    view, scene = _View.of(implant), MeshScene(mesh)
    within = facing_camera(view.camera.target, view.camera.forward)
    sides = [
        (name, camera, scene.look(camera, RAYS, view.extent))
        for name, camera in (("Outer side", view.camera), ("Inner side", within))
    ]
    galleries = [_shape(sides, view), _thickness(sides, view, mesh, design)]
    galleries.append(_fit(scene, view, fit_map(mesh, implant.solid.bone), design))
    if len(implant.solid.rim.step):
        galleries.append(_step(sides[0][2], view, implant))
    return galleries


@dataclass(frozen=True, eq=False)
class _View:
    """Straight at an implant's outer side, and how many millimetres a picture of it shows."""

    camera: Camera
    extent: float

    @classmethod
    def of(cls, implant: Implant) -> _View:
        vertices = joined(implant.pieces).vertices
        middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
        camera = facing_camera(middle, -np.array(implant.solid.axis))
        flat = (vertices - middle) @ np.stack((camera.right, camera.up, camera.forward), axis=1)
        low, high = flat.min(axis=0), flat.max(axis=0)
        turned = np.stack((camera.right, camera.up, camera.forward)).T @ (0.5 * (low + high))
        return cls(Camera(middle + turned, camera.forward, camera.up), float((high - low)[:2].max()) / FILL)


_Seen = Sequence[tuple[str, Camera, MeshSight]]


def _shape(sides: _Seen, view: _View) -> Gallery:
    pictures = [
        panel(
            lit(seen.sight, camera, np.broadcast_to(BONE, seen.sight.normals.shape)), camera, view.extent, name,
            f"{name} of the implant alone.",
        )
        for name, camera, seen in sides
    ]  # fmt: skip
    return Gallery("Shape", tuple(pictures))


def _thickness(sides: _Seen, view: _View, mesh: Mesh, design: Design) -> Gallery:
    thickness = thickness_map(mesh)
    maps = [seen.values(thickness) for _, _, seen in sides]
    known = np.concatenate(maps)
    known = known[np.isfinite(known)]
    # The sides of a rim and of holes look along the sheet, which is not its thickness.
    highest = float(np.percentile(known, 97.0)) if len(known) else design.wall
    scale = ColourScale(0.0, float(np.ceil(max(highest, design.wall) + 0.1)), "mm",
                        marks=((design.wall, f"minimum wall {design.wall:g} mm"),))  # fmt: skip
    pictures = [
        panel(
            coloured(seen.sight, camera, scale.colours(values)), camera, view.extent, name,
            f"{name} of the implant, coloured by thickness from 0 to {scale.high:g} mm.",
        )
        for (name, camera, seen), values in zip(sides, maps, strict=True)
    ]  # fmt: skip
    bar = encoded(scale.bar(), "Thickness", f"Colour scale of the thickness, 0 to {scale.high:g} mm.")
    return Gallery("Thickness", tuple(pictures), bar, "Grey: no other side of a wall lies opposite, as at an edge.")


def _fit(scene: MeshScene, view: _View, fit: Floats, design: Design) -> Gallery:
    high = max(1.0, 2.0 * design.gap)
    scale = ColourScale(0.0, high, "mm", marks=((design.gap, f"design {design.gap:g} mm"),), below=COLLISION)
    pictures = []
    turn = np.radians(LEANING)
    for aside in (view.camera.up, -view.camera.up, view.camera.right, -view.camera.right):
        outward = np.sin(turn) * aside - np.cos(turn) * view.camera.forward
        camera = facing_camera(view.camera.target, outward)
        seen = scene.look(camera, RAYS, view.extent)
        axis, side = side_of(aside)
        where = WORDS[axis][side]
        title = f"Walls from {where}" if axis == 2 else f"Walls from the {where}"
        description = f"The implant's {title.lower()}, coloured by their distance to the bone, 0 to {high:g} mm."
        colours = scale.colours(seen.values(fit))
        pictures.append(panel(coloured(seen.sight, camera, colours), camera, view.extent, title, description))
    bar = encoded(scale.bar(), "Distance to the bone", f"Colour scale of the distance to the bone, 0 to {high:g} mm.")
    remark = f"Grey: no bone within {BONE_WITHIN:g} mm. Yellow: {high:g} mm or more."
    return Gallery("Fit: distance of the implant to the bone", tuple(pictures), bar, remark)


def _step(seen: MeshSight, view: _View, implant: Implant) -> Gallery:
    rim = implant.solid.rim
    high = max(LEAST_SCALE, float(np.ceil(4.0 * np.percentile(np.abs(rim.step), 97.0)) / 4.0))
    scale = ColourScale(-high, high, "mm", ABOUT_ZERO)
    grey = coloured(seen.sight, view.camera, np.broadcast_to(np.array(UNKNOWN), seen.sight.normals.shape))
    picture = panel(
        dotted(grey, view.camera, view.extent, rim.places, scale.colours(rim.step)), view.camera, view.extent,
        "Outer side", f"The implant's rim, coloured by its step to the bone, -{high:g} to {high:g} mm.",
    )  # fmt: skip
    bar = encoded(scale.bar(), "Step", f"Colour scale of the step, -{high:g} to {high:g} mm.")
    return Gallery("Step at the rim", (picture,), bar, "Orange: the implant stands out. Blue: the bone does.")


def _nearest(
    meshes: Sequence[Sight], bone: BoneScene, camera: Camera, extent: float
) -> tuple[Sight, npt.NDArray[np.int64]]:
    """What is nearest to the viewer at each pixel, and whose it is (N,): a mesh's number, or the next for bone."""
    sights = [*meshes, bone.look(camera, HEAD_RAYS, extent)]
    depths = np.full((len(sights), HEAD_RAYS**2), np.inf, dtype=np.float32)
    for depth, sight in zip(depths, sights, strict=True):
        depth[sight.met.ravel()] = sight.depths
    source = depths.argmin(axis=0)
    met = np.isfinite(depths.min(axis=0))
    fields = []
    for name, width in (("places", 3), ("normals", 3), ("depths", 1), ("openness", 1)):
        image = np.empty((HEAD_RAYS**2, width), dtype=np.float32)
        for number, sight in enumerate(sights):
            pixels = np.flatnonzero(sight.met)
            own = source[pixels] == number
            image[pixels[own]] = getattr(sight, name)[own].reshape(-1, width)
        fields.append(image[met])
    places, normals, nearest, openness = fields
    return Sight(met.reshape(HEAD_RAYS, HEAD_RAYS), places, normals, nearest[:, 0], openness[:, 0]), source[met]
