"""A camera for the synthetic pictures: what it looks at, and what it does to colours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data._shapes import Colour, FloatArray

_WALLS = ("bricks", "windows", "fence", "plain")
_GRID = 24


@dataclass(frozen=True, eq=False)
class Camera:
    """What stays the same in all pictures of one camera.

    Attributes:
        wall: Colour of what is behind.
        wall_kind: What it is; one of `_WALLS`.
        ground: Colour of the pavement.
        horizon: Where the ground begins, as a share of the picture's height.
        spacing: Of bricks, windows, bars and pavement joints; a share of the picture's width.
        blotches: Array (24, 24), float32, -1..1: dirt, leaves, shadows, repeated sideways.
        light: -1..1, from which side the light falls.
        contrast: Factor.
        brightness: Added to all channels.
        cast: Factor of red, green and blue.
        blur: 0..1, 0 is sharp.
        noise: Largest deviation of a value, 0..255.
    """

    wall: Colour
    wall_kind: str
    ground: Colour
    horizon: float
    spacing: float
    blotches: FloatArray
    light: float
    contrast: float
    brightness: float
    cast: Colour
    blur: float
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Camera":
        """A camera at random."""
        wall, ground = rng.uniform(60, 200), rng.uniform(70, 170)
        warm, green = rng.uniform(-0.22, 0.22), rng.uniform(-0.08, 0.08)
        return cls(
            wall=(wall + rng.uniform(-25, 25), wall, wall + rng.uniform(-25, 25)),
            wall_kind=_WALLS[rng.integers(len(_WALLS))],
            ground=(ground + rng.uniform(-12, 12), ground, ground + rng.uniform(-12, 12)),
            horizon=rng.uniform(0.4, 0.75),
            spacing=rng.uniform(0.3, 0.6),
            blotches=rng.uniform(-1, 1, (_GRID, _GRID)).astype(np.float32),
            light=rng.uniform(-0.3, 0.3),
            contrast=rng.uniform(0.65, 1.15),
            brightness=rng.uniform(-35, 30),
            cast=(1 + warm, 1 + green, 1 - warm),
            blur=rng.uniform(0, 0.8),
            noise=rng.uniform(6, 24),
        )

    def backdrop(self, height: int, width: int, shift: float) -> FloatArray:
        """The empty scene, as a picture (3, height, width), `shift` widths along the street."""
        y = (np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height)
        x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width)
        x = x + np.float32(shift)
        up = y[:, None]  # 0 at the top of the picture, 1 at its bottom
        tone = 1.0 + 0.14 * self._sampled(y, x)
        tone *= self._wall_tone(up, x)
        picture = np.asarray(self.wall, np.float32)[:, None, None] * tone

        below = int(self.horizon * height)
        depth = (up[below:] - self.horizon) / (1.0 - self.horizon)
        # Joints lie closer together towards the horizon.
        joints = 1.0 / (depth + 0.25) % 0.5 < 0.04 / (depth + 0.25)
        tone = 1.0 + 0.1 * self._sampled(y[below:] * 2.0, x * 2.0) + 0.25 * (depth - 0.5)
        tone *= np.where(joints, np.float32(0.85), np.float32(1.0))
        picture[:, below:] = np.asarray(self.ground, np.float32)[:, None, None] * tone
        return picture

    def develop(self, picture: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The camera's rendition of a scene, with its colours, blur and noise.

        Args:
            picture: Array (3, height, width), float32, 0..255; used up.
            rng: Source of the noise.

        Returns:
            Array (height, width, 3), uint8.
        """
        step = max(1, round(picture.shape[1] / 128))  # the same blur at every size
        padded = np.pad(picture, ((0, 0), (step, step), (step, step)), mode="edge")
        inner = slice(step, -step)
        around = padded[:, : -2 * step, inner] + padded[:, 2 * step :, inner]
        around += padded[:, inner, : -2 * step]
        around += padded[:, inner, 2 * step :]
        picture *= 1.0 - self.blur
        picture += around * (self.blur / 4.0)

        picture -= 118.0
        picture *= self.contrast
        picture += 118.0 + self.brightness
        picture *= np.asarray(self.cast, np.float32)[:, None, None]
        # The sum of two bytes rather than one: noise with a peak in the middle.
        dice = np.frombuffer(rng.bytes(2 * picture.size), np.uint8).reshape(2, *picture.shape)
        noise = np.add(dice[0], dice[1], dtype=np.int16) - np.int16(255)
        picture += noise * np.float32(self.noise / 255.0)
        rounded = np.rint(np.clip(picture, 0.0, 255.0, out=picture), out=picture)
        return np.ascontiguousarray(rounded.astype(np.uint8).transpose(1, 2, 0))

    def _wall_tone(self, up: FloatArray, x: FloatArray) -> FloatArray:
        """Relative brightness of the wall."""
        across = x / self.spacing % 1.0
        one, dark = np.float32(1.0), np.float32(0.72)
        if self.wall_kind == "bricks":
            course = up * 12.0
            shifted = (x * 2.0 / self.spacing + 0.5 * (course // 1.0 % 2.0)) % 1.0
            return np.where((course % 1.0 < 0.14) | (shifted < 0.07), dark, one)
        if self.wall_kind == "windows":
            pane = (up * 2.2 % 1.0 > 0.3) & (across > 0.35)
            return np.where(pane, np.float32(0.5), one)
        if self.wall_kind == "fence":
            return np.where((across * 3.0 % 1.0 < 0.3) & (up > 0.15), dark, one)
        return one + np.float32(0.3) * (up - np.float32(0.5)) + 0.0 * x

    def _sampled(self, y: FloatArray, x: FloatArray) -> FloatArray:
        """The blotches at rows y and columns x (1 is the picture's height, or width), smooth."""
        rows, columns = y * 9.0, x * 5.0
        top, left = rows.astype(np.int64), columns.astype(np.int64)
        down, right = (rows - top)[:, None], columns - left
        lines = self.blotches[top % _GRID] * (1.0 - down) + self.blotches[(top + 1) % _GRID] * down
        return lines[:, left % _GRID] * (1.0 - right) + lines[:, (left + 1) % _GRID] * right
