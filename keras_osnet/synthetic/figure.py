"""A person in a pose on a canvas: the patterns of their clothes, and their head."""

import numpy as np

from keras_osnet.synthetic.appearance import Appearance, Print
from keras_osnet.synthetic.pose import Pose, Position, Skeleton, turn
from keras_osnet.synthetic.shapes import Canvas, Color, FloatArray, Point, Surface

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


def draw_head(figure: Figure) -> None:
    """Draw the head, turned as in the pose."""
    person, bones = figure.person, figure.bones
    radius = bones.head_radius
    cosine, sine = turn(figure.pose.yaw + figure.pose.nod)
    wide, deep = 0.74 * radius, 0.88 * radius
    half = ((wide * cosine) ** 2 + (deep * sine) ** 2) ** 0.5
    if person.hair_style == "tail" and cosine > -0.3:
        knot = (bones.head[0], bones.head[1] + 0.3 * radius, bones.head[2] - 1.05 * radius)
        figure.paint(figure.ball(knot, 0.4 * radius, 0.45 * radius), person.hair)
    skull = figure.ball(bones.head, half, radius)
    figure.paint(skull, person.skin)
    side, front = skull.turned(cosine * wide / half, sine * deep / half)
    up = skull.along
    # Eyes and mouth are mere shades.
    for x in (-0.36, 0.36):
        eye = (np.abs(side - np.float32(x)) < 0.15) & (np.abs(up - np.float32(0.02)) < 0.09)
        figure.paint(skull.where(eye & (front > 0)), (44, 34, 32), opacity=0.62)
    mouth = (np.abs(side) < 0.24) & (np.abs(up + np.float32(0.5)) < 0.06) & (front > 0)
    figure.paint(skull.where(mouth), (128, 58, 54), opacity=0.5)

    if person.hair_style != "bald":
        low = {"short": -0.25, "long": -0.8, "tail": -0.3}[person.hair_style]
        hair = figure.ball(
            (bones.head[0], bones.head[1] + 0.05 * radius, bones.head[2]),
            half * 1.07,
            radius * 1.06,
        )
        side, front = hair.turned(cosine * wide / half, sine * deep / half)
        up = hair.along
        covered = (up > np.float32(0.4) + np.float32(0.18) * side) | (
            (front < np.float32(0.1)) & (up > np.float32(low))
        )
        figure.paint(hair.where(covered), person.hair)
    if person.glasses != "none":
        _glasses(figure, skull, cosine * wide / half, sine * deep / half)
    if person.hat != "none":
        _hat(figure, half, cosine, sine)


def draw_long_hair(figure: Figure) -> None:
    """Draw hair that falls on the back, or a ponytail."""
    person, bones = figure.person, figure.bones
    radius, head = bones.head_radius, bones.head
    if person.hair_style == "tail":
        top = (0.0, head[1] + 0.3 * radius, head[2] - 0.95 * radius)
        end = (0.0, head[1] - 1.5 * radius, head[2] - 1.3 * radius)
        figure.paint(figure.limb(top, end, 0.3 * radius, 0.2 * radius), person.hair)
        return
    top = (0.0, head[1] - 0.1 * radius, head[2] - 0.3 * radius)
    end = (0.0, head[1] - 1.75 * radius, head[2] - 0.75 * radius)
    figure.paint(figure.limb(top, end, 0.82 * radius, 0.72 * radius), person.hair)


def _glasses(figure: Figure, skull: Surface, cosine: float, sine: float) -> None:
    """Draw glasses with bridge and temples."""
    side, front = skull.turned(cosine, sine)
    up = np.abs(skull.along - np.float32(0.05))
    beside = np.abs(np.abs(side) - np.float32(0.4))
    ahead = front > 0
    lens = (beside < 0.3) & (up < 0.2) & ahead
    bar = (up < 0.07) & (front > -0.3)
    figure.paint(skull.where(bar | lens), (20, 20, 24))
    if figure.person.glasses == "clear":
        glass = (beside < 0.18) & (up < 0.1) & ahead
        figure.paint(skull.where(glass), (190, 205, 215))


def _hat(figure: Figure, half: float, cosine: float, sine: float) -> None:
    """Draw a cap with a peak, a beanie, or a hat with a brim."""
    person, bones = figure.person, figure.bones
    radius, (x, y, z) = bones.head_radius, bones.head
    color = person.hat_color
    crown = figure.ball((x, y + 0.14 * radius, z), half * 1.14, radius * 1.04)
    edge = 0.22 if person.hat == "cap" else 0.12
    figure.paint(crown.where(crown.along > np.float32(edge)), color)
    if person.hat == "beanie":
        band = (crown.along > 0.1) & (crown.along < 0.32)
        figure.paint(crown.where(band), color, 0.72)
        return
    rim = figure.at((x, y + 0.38 * radius, z))
    scale = figure.pose.scale
    if person.hat == "brim":
        flat = 0.22 + 0.6 * figure.pose.elevation
        figure.paint(
            figure.canvas.ball(rim, 1.75 * radius * scale, 1.75 * radius * flat * scale),
            color,
            0.8,
        )
        figure.paint(crown.where(crown.along > np.float32(0.3)), color)
    elif cosine > -0.35:
        tip = (
            rim[0] + 1.35 * radius * scale * sine,
            rim[1] + 0.24 * radius * scale * max(cosine, 0),
        )
        figure.paint(
            figure.canvas.limb(
                (rim[0] + 0.5 * radius * scale * sine, rim[1]),
                tip,
                (0.3 + 0.32 * abs(cosine)) * radius * scale,
                (0.12 + 0.5 * abs(cosine)) * radius * scale,
            ),
            color,
            0.72,
        )
        figure.paint(crown.where(crown.along > np.float32(0.34)), color)
