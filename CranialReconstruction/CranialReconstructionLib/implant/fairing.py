"""Heights over a plane: a first guess through what is known, and a thin plate that follows it where it is trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import linalg

Floats = npt.NDArray[np.float64]

# Steepest place of a sphere that is followed, as a share of its radius; beyond, its tangent.
STEEPEST = 0.95
# Nodes along the longer side at most, and the finest spacing of the plate, millimetres.
NODES, FINEST = 150, 1.0
# Nodes added around the plate while it is sampled more finely.
_BORDER = 6


@dataclass(frozen=True, eq=False)
class Dome:
    """A sphere with a quadratic on it, z over (x, y): the shape of a vault without its detail.

    Attributes:
        centre: of the sphere, (3,) millimetres.
        radius: of the sphere, millimetres.
        bend: the six coefficients of 1, x, y, x^2, x y, y^2 about the centre.
    """

    centre: Floats
    radius: float
    bend: Floats

    def height(self, x: Floats, y: Floats) -> Floats:
        """Millimetres of height at places of any one shape."""
        x, y = x - self.centre[0], y - self.centre[1]
        return _cap(np.hypot(x, y), self.radius) + self.centre[2] + np.tensordot(self.bend, _quadratic(x, y), axes=1)


def fit_dome(points: Floats, outlier: float = 2.0) -> Dome:
    """The dome through (N, 3) points, those further off than ``outlier`` mm left out after a first fit."""
    kept = points
    for _ in range(3):
        system = np.column_stack((2.0 * kept, np.ones(len(kept))))
        solution = np.linalg.lstsq(system, (kept**2).sum(1), rcond=None)[0]
        centre = solution[:3]
        radius = float(np.sqrt(max(solution[3] + centre @ centre, 1.0)))
        if centre[2] > kept[:, 2].mean() or radius > 1e4:  # flat, or hollow: the quadratic alone follows it
            centre = np.array([*kept[:, :2].mean(0), kept[:, 2].mean() - 1e4])
            radius = 1e4
        x, y = (kept[:, :2] - centre[:2]).T
        left = kept[:, 2] - centre[2] - _cap(np.hypot(x, y), radius)
        bend = np.linalg.lstsq(_quadratic(x, y).T, left, rcond=None)[0]
        dome = Dome(centre, radius, bend)
        near = np.abs(points[:, 2] - dome.height(points[:, 0], points[:, 1])) < outlier
        if near.sum() < 20:
            break
        kept = points[near]
    return dome


def thin_plate(
    heights: Floats,
    softness: Floats,
    spacing: float,
    repeats: int = 2,
    outlier: float = 1.5,
    finest: float = FINEST,
) -> npt.NDArray[np.float64]:
    """Heights (J, I) of a thin plate drawn to ``heights``.

    Args:
        heights: (J, I) millimetres, read where ``softness`` is finite.
        softness: (J, I) millimetres over which the plate bends away from a height; infinite for no hold.
        spacing: millimetres between columns.
        repeats: how often heights further than ``outlier`` mm from the plate are let go and it is drawn again.
        finest: millimetres between the plate's nodes, at least.
    """
    stride = max(1, round(finest / spacing), int(np.ceil(max(heights.shape) / NODES)))
    pick = (slice(None, None, stride), slice(None, None, stride))
    known, hold = heights[pick].astype(np.float64), 1.0 / softness[pick].astype(np.float64) ** 4
    step = spacing * stride
    stiffness = _bending(known.shape, step)
    known = np.where(hold > 0.0, known, 0.0)
    plate = known
    for _ in range(repeats):
        weight = hold.ravel() + 1e-9
        system = (stiffness + sparse.diags(weight)).tocsc()
        plate = linalg.spsolve(system, hold.ravel() * known.ravel(), permc_spec="MMD_AT_PLUS_A").reshape(known.shape)
        hold = np.where(np.abs(known - plate) > outlier, 0.0, hold)
    # Odd reflection goes on straight over the border, where the spline would level off.
    plate = np.pad(plate, _BORDER, mode="reflect", reflect_type="odd")
    row, column = np.indices(heights.shape) / stride + _BORDER
    return np.asarray(ndimage.map_coordinates(plate, [row, column], order=3, mode="nearest"))


def _bending(shape: tuple[int, ...], step: float) -> sparse.csr_matrix:
    """The bending energy of a plate with free borders, per square millimetre."""
    rows, columns = shape
    along_j = sparse.kron(_second(rows), sparse.identity(columns))
    along_i = sparse.kron(sparse.identity(rows), _second(columns))
    twist = sparse.kron(_first(rows), _first(columns))
    return (along_j.T @ along_j + along_i.T @ along_i + 2.0 * (twist.T @ twist)) / step**4


def _first(n: int) -> sparse.csr_matrix:
    return sparse.diags([-np.ones(n), np.ones(n - 1)], [0, 1], shape=(n - 1, n), format="csr")


def _second(n: int) -> sparse.csr_matrix:
    return sparse.diags([np.ones(n), -2.0 * np.ones(n), np.ones(n)], [0, 1, 2], shape=(n - 2, n), format="csr")


def _quadratic(x: Floats, y: Floats) -> Floats:
    return np.stack((np.ones_like(x), x, y, x * x, x * y, y * y))


def _cap(off_axis: Floats, radius: float) -> Floats:
    """Height of a sphere's upper half above its middle, its tangent where it is too steep."""
    limit = STEEPEST * radius
    inside = np.minimum(off_axis, limit)
    edge = np.sqrt(radius**2 - inside**2)
    return edge - limit / np.sqrt(radius**2 - limit**2) * (off_axis - inside)
