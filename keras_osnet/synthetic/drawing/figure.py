"""A person in a pose on a canvas, and the patterns of their clothes."""

import numpy as np

from keras_osnet.synthetic.drawing.appearance import Appearance, Print
from keras_osnet.synthetic.drawing.pose import Pose, Position, Skeleton, turn
from keras_osnet.synthetic.drawing.shapes import Canvas, Color, FloatArray, Point, Surface

_PRINT = 0.05
"""Half the height of a print, in heights of an adult."""


class Figure:
    """One person in one pose on a canvas.

    Args:
        canvas: To draw on.
        person: The person.
        pose: Their pose and position.
    """

    def __init__(self, canvas: Canvas, person: Appearance, pose: Pose) -> None:
        self.canvas = canvas
        self.person = person
        self.pose = pose
        self.bones = Skeleton.of(person, pose)
        self.cosine, self.sine = turn(pose.yaw)
        self.upright = (1 - pose.elevation**2) ** 0.5
        self.girth = person.girth * (0.92 if person.age == "child" else 1.0)

    def depth(self, place: Position) -> float:
        """Return how much nearer to the camera a position is than the middle of the body."""
        return place[2] * self.cosine - place[0] * self.sine

    def at(self, place: Position) -> Point:
        """Return a position in the image, in pixels."""
        x = place[0] * self.cosine + place[2] * self.sine
        down = self.depth(place) * self.pose.elevation - place[1] * self.upright
        return (
            self.pose.foot[0] + self.pose.scale * x,
            self.pose.foot[1] + self.pose.scale * down,
        )

    def limb(
        self, start: Position, end: Position, start_radius: float, end_radius: float
    ) -> Surface:
        """Return a part of the body or its clothes between two positions."""
        scale = self.pose.scale
        return self.canvas.limb(
            self.at(start), self.at(end), scale * start_radius, scale * end_radius
        )

    def ball(self, place: Position, x_radius: float, y_radius: float) -> Surface:
        """Return a round part of the body."""
        scale = self.pose.scale
        return self.canvas.ball(self.at(place), scale * x_radius, scale * y_radius)

    def half(self, wide: float, deep: float) -> float:
        """Return half the visible width in pixels of an oval cross-section."""
        return self.pose.scale * ((wide * self.cosine) ** 2 + (deep * self.sine) ** 2) ** 0.5

    def oval(self, surface: Surface, wide: float, deep: float) -> tuple[FloatArray, FloatArray]:
        """Return side and front coordinates, -1..1, on a surface with an oval cross-section."""
        half = self.half(wide, deep) / self.pose.scale
        return surface.turned(wide * self.cosine / half, deep * self.sine / half)

    def tube(self, heights: list[float], widths: list[float], flatness: float) -> Surface:
        """Return a surface around the trunk: half widths from the top down, less deep than wide."""
        pelvis, neck = self.bones.pelvis, self.bones.neck
        slope = (neck[2] - pelvis[2]) / (neck[1] - pelvis[1])
        places = [self.at((0.0, y, max(y - pelvis[1], 0.0) * slope)) for y in heights]
        return self.canvas.profile(
            [y for _, y in places],
            [x for x, _ in places],
            [self.half(width, max(width * flatness, 0.02)) for width in widths],
        )

    def paint(self, surface: Surface, color: Color, dim: float = 1.0, opacity: float = 1.0) -> None:
        """Paint a part of the figure, with a share of the light."""
        if dim != 1.0:
            color = (color[0] * dim, color[1] * dim, color[2] * dim)
        self.canvas.paint(surface, color, opacity)


def upper_pattern(figure: Figure, surface: Surface, chest: float, length: float) -> None:
    """Draw the pattern of the upper garment, and the skin in its neckline.

    Args:
        figure: The wearer.
        surface: Surface of the garment.
        chest: Half its width at the chest.
        length: Its length.
    """
    person = figure.person
    scale = figure.pose.scale
    down = surface.along * np.float32(length)
    side, front = figure.oval(surface, chest, 0.68 * chest)
    if person.pattern == "stripes":
        figure.paint(surface.where(_bars(down, 0.058, 0.45, scale)), person.accent)
    elif person.pattern == "plaid":
        for lines in (_bars(down, 0.05, 0.4, scale), _bars(_around(side, front), 0.5, 0.4, scale)):
            figure.paint(surface.where(lines), person.accent, opacity=0.6)
    elif person.pattern == "splice":
        yoke = _edge((np.float32(0.115) - down) * np.float32(scale))
        figure.paint(surface.where(yoke), person.accent)
    elif person.pattern == "open":
        seen = (np.float32(0.3) - np.abs(side)) * np.float32(chest * scale)
        figure.paint(surface.where(_edge(seen) * (front > 0)), person.accent)
    if person.print != "none":
        y = (np.float32(0.37 * figure.bones.span) - down) / np.float32(_PRINT)
        x = side * np.where(front > 0, np.float32(1), np.float32(-1)) * np.float32(chest / _PRINT)
        shown = _edge(_printed(person.print, x, y) * np.float32(_PRINT * scale))
        figure.paint(surface.where(shown), person.print_color)
    # The skin in the neckline.
    x, y = side * np.float32(chest / 0.046), down / np.float32(0.062)
    throat = _edge((np.float32(1) - np.sqrt(x * x + y * y)) * np.float32(0.05 * scale))
    figure.paint(surface.where(throat * (front > np.float32(-0.2))), person.skin, 0.9)


def lower_pattern(figure: Figure, surface: Surface, side: int, dim: float) -> None:
    """Draw the pattern of the lower garment, on a leg or a skirt."""
    person = figure.person
    scale = figure.pose.scale
    if person.bottom_pattern == "stripe":
        lateral, _ = surface.turned(figure.cosine, figure.sine)
        outer = lateral * np.float32(1 if side else -1)
        figure.paint(surface.where(outer > 0.85), person.bottom_accent, dim)
    elif person.bottom_pattern == "dots":
        rows = np.arange(surface.rows.start, surface.rows.stop, dtype=np.float32)[:, None]
        down = (rows - np.float32(figure.pose.foot[1])) / np.float32(0.034 * scale)
        line = np.floor(down)
        x = surface.across * np.float32(1.6) + line * np.float32(0.5)
        x, y = x - np.floor(x) - np.float32(0.5), down - line - np.float32(0.5)
        dots = _edge((np.float32(0.32) - np.sqrt(x * x + y * y)) * np.float32(0.034 * scale))
        figure.paint(surface.where(dots), person.bottom_accent, dim)


def _printed(shape: Print, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return how far inside a print a point is; x and y run from -1 to 1."""
    far = np.maximum(np.abs(x), np.abs(y))
    if shape == "disc":
        return np.float32(0.9) - np.sqrt(x * x + y * y)
    if shape == "ring":
        return np.float32(0.22) - np.abs(np.sqrt(x * x + y * y) - np.float32(0.7))
    if shape == "square":
        return np.float32(0.8) - far
    if shape == "cross":
        near = np.minimum(np.abs(x), np.abs(y))
        return np.minimum(np.float32(0.28) - near, np.float32(0.92) - far)
    if shape == "triangle":
        slope = (np.float32(0.9) - y) * np.float32(0.5) - np.abs(x)
        return np.minimum(slope, y + np.float32(0.8))
    bars = np.float32(0.2) - np.abs(np.abs(y) - np.float32(0.5))
    return np.minimum(bars, np.float32(0.95) - far)


def _bars(place: FloatArray, period: float, share: float, scale: float) -> FloatArray:
    """Return bars of a period that fill a share of it, with soft edges."""
    part = place / np.float32(period)
    part = np.abs(part - np.floor(part) - np.float32(0.5))
    return _edge((np.float32(share / 2) - part) * np.float32(min(period * scale, 12)))


def _around(side: FloatArray, front: FloatArray) -> FloatArray:
    """Return a measure of the angle around the body without arc tangents."""
    place = side / (np.abs(side) + np.abs(front) + np.float32(1e-6))
    return np.where(front > 0, place, np.float32(2) - place)


def _edge(inside: FloatArray) -> FloatArray:
    """Return the share of a pixel that is inside, from its distance to the edge."""
    return np.minimum(np.maximum(inside + np.float32(0.5), np.float32(0)), np.float32(1))
