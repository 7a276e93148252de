"""Anti-aliased, shaded shapes on a numpy array, for the synthetic images.

Everything here is additions, multiplications, divisions, square roots and comparisons of single
elements, which IEEE 754 rounds the same way on every processor. A drawing library would be
shorter, but its outlines differ between versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Color = tuple[float, float, float]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surface:
    """A round surface as a camera sees it, inside the rectangle that bounds it.

    Attributes:
        rows: Rows of the image that the rectangle spans.
        columns: Columns that it spans.
        coverage: Array (rows, columns), 0..1: the share of each pixel that the shape covers.
        across: Array (rows, columns), from -1 on one edge to 1 on the other; on a ball and a
            profile from left to right.
        along: Broadcasts to (rows, columns), from 0 at the shape's start to 1 at its end; on a
            ball from -1 at the bottom to 1 at the top.
        toward: Array (rows, columns), 0..1: how far the surface is turned to the camera.
    """

    rows: slice
    columns: slice
    coverage: FloatArray
    across: FloatArray
    along: FloatArray
    toward: FloatArray

    def where(self, share: NDArray[np.bool_] | FloatArray) -> "Surface":
        """Return the surface with its coverage multiplied by `share`, (rows, columns)."""
        return replace(self, coverage=self.coverage * share)

    def turned(self, cosine: float, sine: float) -> tuple[FloatArray, FloatArray]:
        """Return where each point lies on the body: to the side, -1..1, and to the front, -1..1.

        The body is turned by the given angle; at 0 its front faces the camera.
        """
        c, s = np.float32(cosine), np.float32(sine)
        return self.across * c - self.toward * s, self.across * s + self.toward * c


class Canvas:
    """An image that is drawn on.

    Args:
        pixels: Array (3, height, width), float32, 0..255, painted in place. Channels come first
            because numpy is several times as fast with long innermost axes.
        light: -1..1, the side that the light falls from: shapes are brighter by that share on
            their right edge, and darker on their left.
    """

    def __init__(self, pixels: FloatArray, light: float) -> None:
        self.pixels = pixels
        self.light = np.float32(light)
        self._y = np.arange(pixels.shape[1], dtype=np.float32)[:, None] + np.float32(0.5)
        self._x = np.arange(pixels.shape[2], dtype=np.float32) + np.float32(0.5)

    def limb(self, start: Point, end: Point, start_radius: float, end_radius: float) -> Surface:
        """Return a stroke with round ends and a width that changes from start to end."""
        reach = max(start_radius, end_radius)
        rows, columns = self._window(
            min(start[0], end[0]) - reach,
            min(start[1], end[1]) - reach,
            max(start[0], end[0]) + reach,
            max(start[1], end[1]) + reach,
        )
        dx, dy = end[0] - start[0], end[1] - start[1]
        square = max(dx * dx + dy * dy, 1e-6)
        length = square**0.5
        x, y = self._x[columns] - np.float32(start[0]), self._y[rows] - np.float32(start[1])
        along = x * np.float32(dx / square) + y * np.float32(dy / square)
        # The normal that points to the right, so that light falls on all limbs from one side.
        side = 1.0 if dy >= 0 else -1.0
        across = x * np.float32(side * dy / length) - y * np.float32(side * dx / length)
        beyond = along.copy()
        np.maximum(along, np.float32(0), out=along)
        np.minimum(along, np.float32(1), out=along)
        beyond -= along
        beyond *= np.float32(length)
        beyond *= beyond
        radius = along * np.float32(end_radius - start_radius) + np.float32(start_radius)
        beyond += across * across
        coverage = radius - np.sqrt(beyond, out=beyond)
        across /= radius
        return _rounded(rows, columns, coverage, across, along)

    def ball(self, center: Point, x_radius: float, y_radius: float) -> Surface:
        """Return an upright ellipsoid."""
        rows, columns = self._window(
            center[0] - x_radius, center[1] - y_radius, center[0] + x_radius, center[1] + y_radius
        )
        x_radius, y_radius = max(x_radius, 1e-3), max(y_radius, 1e-3)
        x = (self._x[columns] - np.float32(center[0])) / np.float32(x_radius)
        y = (np.float32(center[1]) - self._y[rows]) / np.float32(y_radius)
        square = x * x + y * y
        # Not the distance, but it has its sign, and nearly its slope across the edge.
        coverage = (np.float32(1) - np.sqrt(square)) * np.float32(min(x_radius, y_radius))
        toward = np.sqrt(np.maximum(np.float32(1) - square, np.float32(0)))
        return Surface(
            rows, columns, _clipped(coverage), np.broadcast_to(x, toward.shape), y, toward
        )

    def profile(
        self, heights: Sequence[float], centers: Sequence[float], halves: Sequence[float]
    ) -> Surface:
        """Return an upright shape, given by its middle and half its width at some heights.

        Args:
            heights: Rows of the image, in pixels, from the top down.
            centers: Columns of the middle there, in pixels.
            halves: Half the width there, in pixels.
        """
        reach = max(halves)
        rows, columns = self._window(
            min(centers) - reach, heights[0], max(centers) + reach, heights[-1]
        )
        y = self._y[rows]
        center = np.interp(y, heights, centers).astype(np.float32)
        half = np.maximum(np.interp(y, heights, halves), 1e-3).astype(np.float32)
        distance = self._x[columns] - center
        coverage = _clipped(half - np.abs(distance))
        coverage *= _clipped(y - np.float32(heights[0])) * _clipped(np.float32(heights[-1]) - y)
        along = (y - np.float32(heights[0])) / np.float32(max(heights[-1] - heights[0], 1e-3))
        distance /= half
        return _rounded(rows, columns, coverage, distance, along, done=True)

    def paint(
        self, surface: Surface, color: Color, opacity: float = 1.0, shade: float = 0.34
    ) -> None:
        """Paint a surface in one color, shaded as a round object.

        Args:
            surface: The surface.
            color: Red, green and blue, 0..255.
            opacity: 0..1.
            shade: How much darker the surface is where it turns away from the camera.
        """
        if surface.coverage.size == 0:
            return
        light = surface.across * self.light
        light += np.float32(1 - shade)
        light += surface.toward * np.float32(shade)
        region = self.pixels[:, surface.rows, surface.columns]
        lit = np.asarray(color, np.float32)[:, None, None] * light
        lit -= region
        lit *= surface.coverage if opacity == 1.0 else surface.coverage * np.float32(opacity)
        region += lit

    def darken(self, surface: Surface, share: float) -> None:
        """Darken a surface like a shadow with soft edges, darkest in its middle."""
        region = self.pixels[:, surface.rows, surface.columns]
        region *= np.float32(1) - surface.coverage * surface.toward * np.float32(share)

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        """Return the rows and columns of a rectangle, clipped to the image."""
        height, width = self.pixels.shape[1:]
        return (
            slice(min(max(int(top - 1), 0), height), min(max(int(bottom + 2), 0), height)),
            slice(min(max(int(left - 1), 0), width), min(max(int(right + 2), 0), width)),
        )


def _clipped(distance: FloatArray) -> FloatArray:
    """Return the share of a pixel inside an outline that is `distance` outwards from its center."""
    inside = distance + np.float32(0.5)
    np.maximum(inside, np.float32(0), out=inside)
    return np.minimum(inside, np.float32(1), out=inside)


def _rounded(
    rows: slice,
    columns: slice,
    coverage: FloatArray,
    across: FloatArray,
    along: FloatArray,
    *,
    done: bool = False,
) -> Surface:
    """Return the surface of an object with a round cross-section."""
    np.maximum(across, np.float32(-1), out=across)
    np.minimum(across, np.float32(1), out=across)
    toward = across * across
    np.subtract(np.float32(1), toward, out=toward)
    np.sqrt(toward, out=toward)
    return Surface(rows, columns, coverage if done else _clipped(coverage), across, along, toward)
