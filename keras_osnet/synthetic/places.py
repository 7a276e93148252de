"""Places: streets, parks and halls, and obstacles in front of people."""

from collections.abc import Callable

import numpy as np

from keras_osnet.synthetic.appearance import VIVID, choose
from keras_osnet.synthetic.shapes import Canvas, Color, FloatArray

_GRID = 32


class Scene:
    """A scene without people.

    Its unit is `unit` pixels, about the height of an image of a person.

    Args:
        rng: Source of randomness.
        height: Of the scene, in pixels.
        width: Of the scene, in pixels.
        unit: Pixels.
        ground: Upper edge of the ground, as a share of the height.
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

    def wall(self, color: Color, tone: FloatArray | float = 1.0) -> None:
        """Fill the area above the ground."""
        dirt = 1 + np.float32(0.09) * self.smooth(self.y, self.x, 5.0)
        self.pixels[:] = _column(color) * (dirt * tone)

    def floor(self, color: Color, joints: float = 0.0, stains: float = 0.1) -> None:
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
        self.pixels[:, self.below :] = _column(color) * tone

    def nearness(self) -> FloatArray:
        """Return the nearness of the ground's rows, 0 (far) to 1 (near); a column."""
        depth = max(self.height - self.base, 1e-3)
        return (self.y[self.below :] - np.float32(self.base)) / np.float32(depth)

    def bar(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        """Draw an upright flat rectangle."""
        x, half = (left + right) / 2 * self.unit, (right - left) / 2 * self.unit
        surface = self.canvas.profile([top * self.unit, bottom * self.unit], [x, x], [half, half])
        self.canvas.paint(surface, color, shade=0.0)

    def blob(self, x: float, y: float, wide: float, tall: float, color: Color) -> None:
        """Draw a round object."""
        unit = self.unit
        surface = self.canvas.ball((x * unit, y * unit), wide * unit, tall * unit)
        self.canvas.paint(surface, color, shade=0.25)

    def smooth(self, y: FloatArray, x: FloatArray, cells: float) -> FloatArray:
        """Return soft noise, -1..1, with `cells` cells per unit; y is a column, x a row."""
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
    """Draw a random place: array (3, height, width), float32, 0..255."""
    kind = list(_PLACES)[int(rng.integers(len(_PLACES)))]
    scene = Scene(rng, height, width, unit, ground)
    _PLACES[kind](scene)
    return scene.pixels


def draw_obstacle(canvas: Canvas, rng: np.random.Generator, share: float) -> None:
    """Draw an obstacle in front of the person in some of the images.

    Args:
        canvas: Canvas with the person on it.
        rng: Source of randomness.
        share: Probability of an obstacle, 0..1.
    """
    # All numbers are always drawn, so that later draws do not depend on the outcome.
    there = rng.random() < share
    kind = choose(rng, post=0.4, bush=0.2, bench=0.2, bin=0.2)
    place, size, tone = rng.uniform(-1, 1), rng.random(), rng.uniform(40, 170)
    spots = rng.uniform(-1, 1, (9, 3))
    if not there:
        return
    height, width = canvas.pixels.shape[1:]
    unit = min(height, width * 2.0)
    side = 1.0 if place > 0 else -1.0
    gray = (tone, tone * 0.98, tone * 0.95)
    if kind == "post":  # beside the middle, where most of the person stays visible
        x = width / 2 + unit * side * (0.07 + 0.12 * abs(place))
        half = unit * (0.012 + 0.016 * size)
        canvas.paint(canvas.profile([0.0, float(height)], [x, x], [half, half]), gray, shade=0.5)
    elif kind == "bush":
        x = width / 2 + unit * side * (0.16 + 0.06 * abs(place))
        for across, up, bright in spots:
            leaf = (0.62 + 0.12 * bright, 1 + 0.2 * bright, 0.45 + 0.1 * bright)
            ball = canvas.ball(
                (x + 0.13 * unit * across, height - 0.09 * unit * (1 + up) * (0.6 + size)),
                0.075 * unit,
                0.065 * unit,
            )
            canvas.paint(ball, (leaf[0] * 100, leaf[1] * 100, leaf[2] * 100))
    elif kind == "bench":  # the legs behind it are hidden, the feet below it not
        top = height - unit * (0.26 + 0.08 * size)
        wood = (tone * 0.9 + 30, tone * 0.68 + 20, tone * 0.45 + 12)
        for row in range(3):
            y = top + 0.042 * unit * row
            middle = width / 2 + unit * side * 0.1
            plank = canvas.profile([y, y + 0.03 * unit], [middle] * 2, [0.2 * unit] * 2)
            canvas.paint(plank, wood, shade=0.1)
    else:
        x = width / 2 + unit * side * (0.13 + 0.05 * abs(place))
        top = height - unit * (0.24 + 0.1 * size)
        can = canvas.profile([top, float(height)], [x, x], [0.07 * unit, 0.06 * unit])
        canvas.paint(can, gray, shade=0.5)
        canvas.paint(can.where(can.along < 0.1), gray, shade=0.9)


def _shops(scene: Scene) -> None:
    """Draw shop windows below a strip of signs."""
    rng = scene.rng
    scene.wall(_gray(rng, 90, 190))
    for left, right in scene.steps(0.45, 0.9):
        top, low = 0.3 * scene.base, scene.base - 0.05
        frame = _gray(rng, 40, 200)
        scene.bar(left, top - 0.12, right, low + 0.05, frame)
        scene.bar(left + 0.02, top - 0.1, right - 0.02, top - 0.01, _bright(rng))
        scene.bar(left + 0.03, top + 0.02, right - 0.03, low - 0.02, _gray(rng, 30, 90))
        for _ in range(3):  # goods in the window
            x = rng.uniform(left + 0.05, right - 0.05)
            tall = rng.uniform(0.05, 0.2)
            scene.bar(x - 0.03, low - 0.02 - tall, x + 0.03, low - 0.02, _bright(rng))
        scene.bar(left + 0.06, top + 0.02, left + 0.075, low - 0.02, _gray(rng, 120, 200))
    scene.floor(_gray(rng, 100, 185), joints=rng.uniform(0.3, 0.6))


def _bricks(scene: Scene) -> None:
    """Draw a brick wall with windows and doors."""
    rng = scene.rng
    course = scene.y * np.float32(rng.uniform(15, 26))
    number = np.floor(course)
    along = scene.x * np.float32(rng.uniform(7, 11)) + np.float32(0.5) * (number % 2)
    brick = np.floor(along)
    joint = ((course - number) < 0.16) | ((along - brick) < 0.08)
    shade = scene.cloud[(number.astype(np.int64) * 7) % _GRID, (brick.astype(np.int64) * 5) % _GRID]
    red = rng.uniform(0, 60)
    scene.wall((110 + red, 96, 92 - red * 0.3), np.where(joint, 1.25, 1 + 0.13 * shade))
    for left, right in scene.steps(0.5, 0.9):
        if rng.random() < 0.5:
            middle = (left + right) / 2
            scene.bar(middle - 0.17, 0.02, middle + 0.17, 0.62 * scene.base, _gray(rng, 150, 230))
            scene.bar(middle - 0.15, 0.03, middle + 0.15, 0.6 * scene.base, _gray(rng, 30, 110))
    scene.bar(0, scene.base - 0.05, scene.width, scene.base, (84, 82, 80))
    scene.floor(_gray(rng, 90, 170), joints=rng.uniform(0.25, 0.5))


def _park(scene: Scene) -> None:
    """Draw trees and bushes behind a path."""
    rng = scene.rng
    light = rng.uniform(0.7, 1.2)
    leaves = scene.smooth(scene.y, scene.x, 14.0) + scene.smooth(scene.y, scene.x, 5.0)
    scene.wall((104 * light, 132 * light, 72 * light), 1 + np.float32(0.22) * leaves)
    for left, right in scene.steps(0.25, 0.6):
        x, wide = (left + right) / 2, rng.uniform(0.015, 0.045)
        bark = rng.uniform(50, 90)
        scene.bar(x - wide, 0.0, x + wide, scene.base + 0.01, (bark, bark * 0.82, bark * 0.66))
        green = rng.uniform(60, 120)
        for _ in range(5):
            scene.blob(
                x + rng.uniform(-0.2, 0.2),
                scene.base - rng.uniform(0.0, 0.12),
                rng.uniform(0.06, 0.14),
                rng.uniform(0.04, 0.09),
                (green * 0.62, green, green * 0.45),
            )
    if rng.random() < 0.5:
        scene.floor((96 * light, 128 * light, 66 * light), stains=0.3)
    else:
        sand = rng.uniform(120, 190)
        scene.floor((sand, sand * 0.93, sand * 0.8), stains=0.16)


def _hall(scene: Scene) -> None:
    """Draw a passage of a station: tiles, posters, lamps, a shiny floor."""
    rng = scene.rng
    tile = scene.y * np.float32(9), scene.x * np.float32(9)
    lines = np.maximum(*(np.abs(each - np.floor(each) - np.float32(0.5)) for each in tile))
    tint = rng.uniform(-24, 24)
    value = rng.uniform(120, 215)
    scene.wall((value + tint, value, value - tint), np.where(lines > 0.46, 0.86, 1.0))
    band = rng.uniform(0.6, 0.85) * scene.base
    scene.bar(0, band, scene.width, band + 0.06, _bright(rng))
    for left, right in scene.steps(0.55, 1.1):
        scene.bar(left + 0.1, 0.12, right - 0.1, band - 0.05, _gray(rng, 190, 240))
        scene.bar(left + 0.12, 0.14, right - 0.12, band - 0.07, _bright(rng))
        scene.blob((left + right) / 2, band * 0.55, 0.1, 0.14, _bright(rng))
    scene.bar(0, 0.0, scene.width, 0.05, (238, 240, 236))
    floor = rng.uniform(80, 160)
    scene.floor((floor, floor, floor + tint * 0.5), joints=rng.uniform(0.35, 0.6), stains=0.05)
    depth = min(scene.below, len(scene.y) - scene.below)
    mirror = scene.pixels[:, scene.below - depth : scene.below][:, ::-1]
    scene.pixels[:, scene.below : scene.below + depth] *= np.float32(0.8)
    scene.pixels[:, scene.below : scene.below + depth] += np.float32(0.2) * mirror


def _road(scene: Scene) -> None:
    """Draw parked cars in front of a gray facade, and a zebra crossing."""
    rng = scene.rng
    floors = scene.y * np.float32(2)
    scene.wall(_gray(rng, 120, 200), np.where(floors - np.floor(floors) < 0.1, 0.8, 1.0))
    for left, right in scene.steps(0.3, 0.5):
        scene.bar(left + 0.06, 0.02, right - 0.06, 0.45 * scene.base, _gray(rng, 50, 120))
    scene.floor(_gray(rng, 70, 120), stains=0.12)
    if rng.random() < 0.6:
        near = scene.nearness()
        bars = (scene.x - np.float32(scene.width / 2)) / (near + np.float32(0.35)) * np.float32(3.2)
        white = (bars - np.floor(bars) < 0.5) & (near > 0.3) & (near < 0.85)
        scene.pixels[:, scene.below :] += np.float32(78) * white
    for left, right in scene.steps(0.9, 1.5):
        x, y, color = (left + right) / 2, scene.base, _bright(rng)
        scene.blob(x, y + 0.05, 0.46, 0.035, (30, 30, 32))
        scene.blob(x, y - 0.13, 0.26, 0.13, color)
        scene.blob(x, y - 0.14, 0.22, 0.085, (40, 48, 56))
        scene.bar(x - 0.42, y - 0.13, x + 0.42, y + 0.02, color)
        for wheel in (-0.26, 0.26):
            scene.blob(x + wheel, y + 0.02, 0.07, 0.07, (24, 24, 26))
            scene.blob(x + wheel, y + 0.02, 0.035, 0.035, (150, 150, 152))


def _fence(scene: Scene) -> None:
    """Draw a fence in front of a hedge and the sky."""
    rng = scene.rng
    sky = rng.uniform(150, 225)
    scene.wall((sky * 0.92, sky * 0.98, sky * 1.05))
    hedge = 0.35 * scene.base
    green = rng.uniform(60, 130)
    scene.bar(0, hedge, scene.width, scene.base, (green * 0.66, green, green * 0.5))
    rows = slice(int(hedge * scene.unit), scene.below)
    leaves = scene.smooth(scene.y[rows], scene.x, 18.0) + scene.smooth(scene.y[rows], scene.x, 7.0)
    scene.pixels[:, rows] *= 1 + np.float32(0.16) * leaves
    color, gap = _gray(rng, 40, 210), rng.uniform(0.06, 0.13)
    for number in range(int(scene.width / gap) + 1):
        x = number * gap
        scene.bar(x - 0.009, hedge + 0.08, x + 0.009, scene.base + 0.01, color)
    for y in (hedge + 0.11, scene.base - 0.06):
        scene.bar(0, y, scene.width, y + 0.018, color)
    scene.floor(_gray(rng, 100, 190), joints=rng.choice([0.0, 0.4]), stains=0.14)


_PLACES: dict[str, Callable[[Scene], None]] = {
    "shops": _shops,
    "bricks": _bricks,
    "park": _park,
    "hall": _hall,
    "road": _road,
    "fence": _fence,
}


def _column(color: Color) -> FloatArray:
    return np.asarray(color, np.float32)[:, None, None]


def _gray(rng: np.random.Generator, least: float, most: float) -> Color:
    """Draw a gray with a touch of color."""
    value = rng.uniform(least, most)
    return value + rng.uniform(-14, 14), value, value + rng.uniform(-14, 14)


def _bright(rng: np.random.Generator) -> Color:
    """Draw a color of signs, posters and cars, less vivid than those of clothes."""
    color = VIVID[int(rng.integers(len(VIVID)))]
    gray = sum(color) / 3
    share = rng.uniform(0.3, 0.8)
    red, green, blue = (gray + share * (channel - gray) for channel in color)
    return red, green, blue
