"""What a camera looks at: streets, parks, halls, as wide as the walk of the people in it."""

from collections.abc import Callable

import numpy as np

from keras_osnet.synthetic.drawing.appearance import VIVID
from keras_osnet.synthetic.drawing.shapes import Canvas, Colour, FloatArray

_GRID = 32


class Place:
    """A scene without people, in the making.

    Its unit is `unit` pixels, about the height of a person's picture.

    Args:
        rng: Source of what is where.
        height: Of the scene, in pixels.
        width: Of the scene, in pixels.
        unit: Pixels.
        ground: Where the ground begins, as a share of the height.
    """

    def __init__(
        self, rng: np.random.Generator, height: int, width: int, unit: float, ground: float
    ) -> None:
        self.rng = rng
        self.unit = unit
        self.height, self.width = height / unit, width / unit
        self.base = ground * height / unit
        self.pixels = np.zeros((3, height, width), np.float32)
        self.canvas = Canvas(self.pixels, 0.0)
        self.y = ((np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(unit))[
            :, None
        ]
        self.x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(unit)
        self.below = round(ground * height)
        self.cloud = rng.uniform(-1, 1, (_GRID, _GRID)).astype(np.float32)

    def wall(self, colour: Colour, tone: FloatArray | float = 1.0) -> None:
        """Fill what is above the ground."""
        dirt = 1 + np.float32(0.09) * self.smooth(self.y, self.x, 5.0)
        self.pixels[:] = _column(colour) * (dirt * tone)

    def floor(self, colour: Colour, joints: float = 0.0, stains: float = 0.1) -> None:
        """Fill the ground, with joints between slabs that lead to a vanishing point."""
        near = self.nearness()
        away = 1 / (near + np.float32(0.16))  # in proportion to the distance
        rows = self.y[self.below :] * np.float32(3)  # stains look flat on the ground
        tone = 1 + np.float32(stains) * self.smooth(rows, self.x, 3.0)
        tone += np.float32(0.16) * (near - np.float32(0.5))
        if joints:
            across = (self.x - np.float32(self.width / 2)) * away / np.float32(joints)
            across = np.abs(across - np.floor(across) - np.float32(0.5))
            depth = away * np.float32(0.55 / joints)
            depth = np.abs(depth - np.floor(depth) - np.float32(0.5))
            line = np.float32(0.14)
            tone *= 1 - line * np.minimum(np.maximum((across - 0.44) * 25, 0), 1) * (near > 0.05)
            tone *= 1 - line * np.minimum(np.maximum((depth - 0.42) * 16, 0), 1)
        self.pixels[:, self.below :] = _column(colour) * tone

    def nearness(self) -> FloatArray:
        """Of the rows of the ground, from 0 at the far end to 1 at the near one; a column."""
        depth = max(self.height - self.base, 1e-3)
        return (self.y[self.below :] - np.float32(self.base)) / np.float32(depth)

    def bar(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """An upright flat rectangle."""
        x, half = (left + right) / 2 * self.unit, (right - left) / 2 * self.unit
        surface = self.canvas.profile([top * self.unit, bottom * self.unit], [x, x], [half, half])
        self.canvas.paint(surface, colour, shade=0.0)

    def blob(self, x: float, y: float, wide: float, tall: float, colour: Colour) -> None:
        """A round thing."""
        unit = self.unit
        surface = self.canvas.ball((x * unit, y * unit), wide * unit, tall * unit)
        self.canvas.paint(surface, colour, shade=0.25)

    def smooth(self, y: FloatArray, x: FloatArray, cells: float) -> FloatArray:
        """Soft noise, -1..1, with `cells` cells a unit; y is a column, x a row."""
        rows, columns = y[:, 0] * np.float32(cells), x * np.float32(cells)
        top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
        down, right = (rows - top)[:, None].astype(np.float32), (columns - left).astype(np.float32)
        upper, under = self.cloud[top % _GRID], self.cloud[(top + 1) % _GRID]
        lines = upper * (1 - down) + under * down
        return lines[:, left % _GRID] * (1 - right) + lines[:, (left + 1) % _GRID] * right

    def steps(self, least: float, most: float) -> list[tuple[float, float]]:
        """Cut the width into pieces of random widths: (left, right) of each."""
        pieces, left = [], -self.rng.uniform(0, least)
        while left < self.width:
            right = left + self.rng.uniform(least, most)
            pieces.append((left, right))
            left = right
        return pieces


def draw_place(
    rng: np.random.Generator, height: int, width: int, unit: float, ground: float
) -> FloatArray:
    """A place at random: array (3, height, width), float32, 0..255."""
    kind = list(_PLACES)[int(rng.integers(len(_PLACES)))]
    place = Place(rng, height, width, unit, ground)
    _PLACES[kind](place)
    return place.pixels


def _shops(place: Place) -> None:
    """Shop windows below a strip of signs."""
    rng = place.rng
    place.wall(_grey(rng, 90, 190))
    for left, right in place.steps(0.45, 0.9):
        top, low = 0.3 * place.base, place.base - 0.05
        frame = _grey(rng, 40, 200)
        place.bar(left, top - 0.12, right, low + 0.05, frame)
        place.bar(left + 0.02, top - 0.1, right - 0.02, top - 0.01, _bright(rng))
        place.bar(left + 0.03, top + 0.02, right - 0.03, low - 0.02, _grey(rng, 30, 90))
        for _ in range(3):  # what is in the window
            x = rng.uniform(left + 0.05, right - 0.05)
            tall = rng.uniform(0.05, 0.2)
            place.bar(x - 0.03, low - 0.02 - tall, x + 0.03, low - 0.02, _bright(rng))
        place.bar(left + 0.06, top + 0.02, left + 0.075, low - 0.02, _grey(rng, 120, 200))
    place.floor(_grey(rng, 100, 185), joints=rng.uniform(0.3, 0.6))


def _bricks(place: Place) -> None:
    """A wall of bricks with some windows and doors."""
    rng = place.rng
    course = place.y * np.float32(rng.uniform(15, 26))
    number = np.floor(course)
    along = place.x * np.float32(rng.uniform(7, 11)) + np.float32(0.5) * (number % 2)
    brick = np.floor(along)
    joint = ((course - number) < 0.16) | ((along - brick) < 0.08)
    shade = place.cloud[(number.astype(np.int64) * 7) % _GRID, (brick.astype(np.int64) * 5) % _GRID]
    red = rng.uniform(0, 60)
    place.wall((110 + red, 96, 92 - red * 0.3), np.where(joint, 1.25, 1 + 0.13 * shade))
    for left, right in place.steps(0.5, 0.9):
        if rng.random() < 0.5:
            middle = (left + right) / 2
            place.bar(middle - 0.17, 0.02, middle + 0.17, 0.62 * place.base, _grey(rng, 150, 230))
            place.bar(middle - 0.15, 0.03, middle + 0.15, 0.6 * place.base, _grey(rng, 30, 110))
    place.bar(0, place.base - 0.05, place.width, place.base, (84, 82, 80))
    place.floor(_grey(rng, 90, 170), joints=rng.uniform(0.25, 0.5))


def _park(place: Place) -> None:
    """Trees and bushes behind a path."""
    rng = place.rng
    light = rng.uniform(0.7, 1.2)
    leaves = place.smooth(place.y, place.x, 14.0) + place.smooth(place.y, place.x, 5.0)
    place.wall((104 * light, 132 * light, 72 * light), 1 + np.float32(0.22) * leaves)
    for left, right in place.steps(0.25, 0.6):
        x, wide = (left + right) / 2, rng.uniform(0.015, 0.045)
        bark = rng.uniform(50, 90)
        place.bar(x - wide, 0.0, x + wide, place.base + 0.01, (bark, bark * 0.82, bark * 0.66))
        green = rng.uniform(60, 120)
        for _ in range(5):
            place.blob(
                x + rng.uniform(-0.2, 0.2),
                place.base - rng.uniform(0.0, 0.12),
                rng.uniform(0.06, 0.14),
                rng.uniform(0.04, 0.09),
                (green * 0.62, green, green * 0.45),
            )
    if rng.random() < 0.5:
        place.floor((96 * light, 128 * light, 66 * light), stains=0.3)
    else:
        sand = rng.uniform(120, 190)
        place.floor((sand, sand * 0.93, sand * 0.8), stains=0.16)


def _hall(place: Place) -> None:
    """A station's passage: tiles, posters, lamps, a floor that shines."""
    rng = place.rng
    tile = place.y * np.float32(9), place.x * np.float32(9)
    lines = np.maximum(*(np.abs(each - np.floor(each) - np.float32(0.5)) for each in tile))
    tint = rng.uniform(-24, 24)
    value = rng.uniform(120, 215)
    place.wall((value + tint, value, value - tint), np.where(lines > 0.46, 0.86, 1.0))
    band = rng.uniform(0.6, 0.85) * place.base
    place.bar(0, band, place.width, band + 0.06, _bright(rng))
    for left, right in place.steps(0.55, 1.1):
        place.bar(left + 0.1, 0.12, right - 0.1, band - 0.05, _grey(rng, 190, 240))
        place.bar(left + 0.12, 0.14, right - 0.12, band - 0.07, _bright(rng))
        place.blob((left + right) / 2, band * 0.55, 0.1, 0.14, _bright(rng))
    place.bar(0, 0.0, place.width, 0.05, (238, 240, 236))
    floor = rng.uniform(80, 160)
    place.floor((floor, floor, floor + tint * 0.5), joints=rng.uniform(0.35, 0.6), stains=0.05)
    depth = min(place.below, len(place.y) - place.below)
    mirror = place.pixels[:, place.below - depth : place.below][:, ::-1]
    place.pixels[:, place.below : place.below + depth] *= np.float32(0.8)
    place.pixels[:, place.below : place.below + depth] += np.float32(0.2) * mirror


def _road(place: Place) -> None:
    """Parked cars before a grey front, and a zebra crossing."""
    rng = place.rng
    floors = place.y * np.float32(2)
    place.wall(_grey(rng, 120, 200), np.where(floors - np.floor(floors) < 0.1, 0.8, 1.0))
    for left, right in place.steps(0.3, 0.5):
        place.bar(left + 0.06, 0.02, right - 0.06, 0.45 * place.base, _grey(rng, 50, 120))
    place.floor(_grey(rng, 70, 120), stains=0.12)
    if rng.random() < 0.6:
        near = place.nearness()
        bars = (place.x - np.float32(place.width / 2)) / (near + np.float32(0.35)) * np.float32(3.2)
        white = (bars - np.floor(bars) < 0.5) & (near > 0.3) & (near < 0.85)
        place.pixels[:, place.below :] += np.float32(78) * white
    for left, right in place.steps(0.9, 1.5):
        x, y, colour = (left + right) / 2, place.base, _bright(rng)
        place.blob(x, y + 0.05, 0.46, 0.035, (30, 30, 32))
        place.blob(x, y - 0.13, 0.26, 0.13, colour)
        place.blob(x, y - 0.14, 0.22, 0.085, (40, 48, 56))
        place.bar(x - 0.42, y - 0.13, x + 0.42, y + 0.02, colour)
        for wheel in (-0.26, 0.26):
            place.blob(x + wheel, y + 0.02, 0.07, 0.07, (24, 24, 26))
            place.blob(x + wheel, y + 0.02, 0.035, 0.035, (150, 150, 152))


def _fence(place: Place) -> None:
    """A fence before a hedge and the sky."""
    rng = place.rng
    sky = rng.uniform(150, 225)
    place.wall((sky * 0.92, sky * 0.98, sky * 1.05))
    hedge = 0.35 * place.base
    green = rng.uniform(60, 130)
    place.bar(0, hedge, place.width, place.base, (green * 0.66, green, green * 0.5))
    rows = slice(int(hedge * place.unit), place.below)
    leaves = place.smooth(place.y[rows], place.x, 18.0) + place.smooth(place.y[rows], place.x, 7.0)
    place.pixels[:, rows] *= 1 + np.float32(0.16) * leaves
    colour, gap = _grey(rng, 40, 210), rng.uniform(0.06, 0.13)
    for number in range(int(place.width / gap) + 1):
        x = number * gap
        place.bar(x - 0.009, hedge + 0.08, x + 0.009, place.base + 0.01, colour)
    for y in (hedge + 0.11, place.base - 0.06):
        place.bar(0, y, place.width, y + 0.018, colour)
    place.floor(_grey(rng, 100, 190), joints=rng.choice([0.0, 0.4]), stains=0.14)


_PLACES: dict[str, Callable[[Place], None]] = {
    "shops": _shops,
    "bricks": _bricks,
    "park": _park,
    "hall": _hall,
    "road": _road,
    "fence": _fence,
}


def _column(colour: Colour) -> FloatArray:
    return np.asarray(colour, np.float32)[:, None, None]


def _grey(rng: np.random.Generator, least: float, most: float) -> Colour:
    """A grey with a touch of colour."""
    value = rng.uniform(least, most)
    return value + rng.uniform(-14, 14), value, value + rng.uniform(-14, 14)


def _bright(rng: np.random.Generator) -> Colour:
    """A colour of signs, posters and cars, less vivid than the clothes'."""
    colour = VIVID[int(rng.integers(len(VIVID)))]
    grey = sum(colour) / 3
    share = rng.uniform(0.3, 0.8)
    red, green, blue = (grey + share * (channel - grey) for channel in colour)
    return red, green, blue
