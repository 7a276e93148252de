"""What clothes show: stripes, plaid, dots, parts in two colours, prints."""

import numpy as np

from keras_osnet.synthetic.drawing.appearance import Print
from keras_osnet.synthetic.drawing.figure import Figure
from keras_osnet.synthetic.drawing.shapes import FloatArray, Surface

_PRINT = 0.05
"""Half the height of a print, in heights of an adult."""


def upper_pattern(figure: Figure, surface: Surface, chest: float, length: float) -> None:
    """The pattern of what is worn above, and the skin that its neckline leaves.

    Args:
        figure: Who wears it.
        surface: Of the garment.
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
        figure.paint(surface.where(shown), person.print_colour)
    # The skin that the neckline leaves.
    x, y = side * np.float32(chest / 0.046), down / np.float32(0.062)
    throat = _edge((np.float32(1) - np.sqrt(x * x + y * y)) * np.float32(0.05 * scale))
    figure.paint(surface.where(throat * (front > np.float32(-0.2))), person.skin, 0.9)


def lower_pattern(figure: Figure, surface: Surface, side: int, dim: float) -> None:
    """The pattern of what is worn below, on a leg or a skirt."""
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
    """How far inside a print a place is; x and y run from -1 to 1."""
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
    """Bars of a period, and how much of it they fill, with soft edges."""
    part = place / np.float32(period)
    part = np.abs(part - np.floor(part) - np.float32(0.5))
    return _edge((np.float32(share / 2) - part) * np.float32(min(period * scale, 12)))


def _around(side: FloatArray, front: FloatArray) -> FloatArray:
    """A measure of the angle around the body that needs no arc tangent."""
    place = side / (np.abs(side) + np.abs(front) + np.float32(1e-6))
    return np.where(front > 0, place, np.float32(2) - place)


def _edge(inside: FloatArray) -> FloatArray:
    """The share of a pixel that is inside, from its distance to the edge."""
    return np.minimum(np.maximum(inside + np.float32(0.5), np.float32(0)), np.float32(1))
