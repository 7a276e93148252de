"""Anti-aliased shapes on a numpy array, for the synthetic pictures.

Everything here is additions, multiplications, divisions, square roots and comparisons of single
elements, which IEEE 754 rounds the same way on every processor. A drawing library would be
shorter, but its outlines differ between versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Colour = tuple[float, float, float]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Stencil:
    """Where a shape lies: its share of each pixel, inside the rectangle that bounds it.

    Attributes:
        rows: Rows of the picture that the rectangle spans.
        columns: Columns that it spans.
        y: Centres of the rows (rows, 1), in pixels.
        x: Centres of the columns (columns,), in pixels.
        coverage: Array (rows, columns), 0..1.
    """

    rows: slice
    columns: slice
    y: FloatArray
    x: FloatArray
    coverage: FloatArray

    def where(self, inside: NDArray[np.bool_]) -> "Stencil":
        """The part of the shape where `inside`, which broadcasts to (rows, columns), is true."""
        return replace(self, coverage=self.coverage * inside)


class Canvas:
    """A picture in the making.

    Args:
        pixels: Array (3, height, width), float32, 0..255, painted in place. Channels come first
            because numpy is several times as fast with long innermost axes.
        light: -1..1, from which side the light falls: shapes are brighter by that share on their
            right edge, and darker on their left.
    """

    def __init__(self, pixels: FloatArray, light: float) -> None:
        self.pixels = pixels
        self.light = light

    def limb(self, start: Point, end: Point, start_radius: float, end_radius: float) -> Stencil:
        """A stroke with round ends and a width that changes from start to end."""
        reach = max(start_radius, end_radius)
        stencil = self._window([start, end], reach)
        dx, dy = end[0] - start[0], end[1] - start[1]
        x, y = stencil.x - start[0], stencil.y - start[1]
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-6), 0.0, 1.0)
        x, y = x - along * dx, y - along * dy
        radius = start_radius + along * (end_radius - start_radius)
        return _covered(stencil, np.sqrt(x * x + y * y) - radius)

    def ellipse(self, centre: Point, x_radius: float, y_radius: float) -> Stencil:
        """An upright ellipse."""
        stencil = self._window(
            [
                (centre[0] - x_radius, centre[1] - y_radius),
                (centre[0] + x_radius, centre[1] + y_radius),
            ],
            0.0,
        )
        x, y = (stencil.x - centre[0]) / x_radius, (stencil.y - centre[1]) / y_radius
        # Not the distance, but it has its sign, and nearly its slope across the edge.
        return _covered(stencil, (np.sqrt(x * x + y * y) - 1.0) * min(x_radius, y_radius))

    def polygon(self, points: Sequence[Point], rounding: float = 0.0) -> Stencil:
        """A convex polygon, its points in clockwise order as seen, grown by `rounding`."""
        stencil = self._window(points, rounding)
        outside = np.full((len(stencil.y), len(stencil.x)), -np.inf, np.float32)
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            dx, dy = x1 - x0, y1 - y0
            length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
            edge = (stencil.x - x0) * (dy / length) - (stencil.y - y0) * (dx / length)
            np.maximum(outside, edge, out=outside)
        return _covered(stencil, outside - rounding)

    def paint(self, stencil: Stencil, colour: Colour, opacity: float = 1.0) -> None:
        """Paint a shape in one colour, shaded across its width as something round would be."""
        if stencil.coverage.size == 0:
            return
        middle = (stencil.x[0] + stencil.x[-1]) / 2
        across = (stencil.x - middle) / max(stencil.x[-1] - middle, 1)
        shade = 1.0 + self.light * across - 0.18 * across * across
        shaded = np.asarray(colour, np.float32)[:, None, None] * shade
        region = self.pixels[:, stencil.rows, stencil.columns]
        region += (stencil.coverage * np.float32(opacity)) * (shaded - region)

    def _window(self, points: Sequence[Point], margin: float) -> Stencil:
        """A stencil, still without coverage, that bounds the points and a margin."""
        height, width = self.pixels.shape[1:]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        rows, columns = (
            slice(
                min(max(int(min(values) - margin - 1), 0), end),
                min(max(int(max(values) + margin + 2), 0), end),
            )
            for values, end in ((ys, height), (xs, width))
        )
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(0.5)
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5)
        return Stencil(rows, columns, y, x, coverage=np.empty((len(y), len(x)), np.float32))


def _covered(stencil: Stencil, distance: NDArray[np.floating]) -> Stencil:
    """The stencil with its coverage, from each pixel's signed distance to the outline."""
    return replace(stencil, coverage=np.clip(0.5 - distance, 0.0, 1.0))
