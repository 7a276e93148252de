"""A camera: what it looks at, from where, and what it does to light and colours."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from keras_osnet.synthetic.drawing.places import draw_place
from keras_osnet.synthetic.drawing.shapes import Colour, FloatArray

_WIDER, _TALLER = 3.0, 1.12
"""How much larger a camera's scene is than the picture of one person in it."""


@dataclass(frozen=True)
class Camera:
    """What stays the same in all pictures of one camera.

    Attributes:
        elevation: Sine of the angle at which it looks down.
        ground: Where the ground begins, as a share of the picture's height.
        light: -1..1, from which side the light falls.
        gain: Factor of red, green and blue.
        saturation: Of colours; 1 leaves them as they are.
        contrast: Factor, about the middle grey.
        brightness: Added to all channels.
        curve: Bends the middle tones up or down.
        blur: 0..1, 0 is sharp.
        noise: Largest deviation of a value, 0..255.
        hidden: Share of the pictures in which something stands in front of the person.
        scene: What the scene's randomness begins with.
    """

    elevation: float
    ground: float
    light: float
    gain: Colour
    saturation: float
    contrast: float
    brightness: float
    curve: float
    blur: float
    noise: float
    hidden: float
    scene: tuple[int, ...]

    @classmethod
    def draw(cls, key: tuple[int, ...]) -> "Camera":
        """The camera of a key at random."""
        rng = np.random.default_rng(key)
        warm, green = rng.uniform(-0.26, 0.26), rng.uniform(-0.1, 0.1)
        return cls(
            elevation=rng.uniform(0.0, 0.36),
            ground=rng.uniform(0.35, 0.72),
            light=rng.uniform(-0.3, 0.3),
            gain=(1 + warm, 1 + green, 1 - warm),
            saturation=rng.uniform(0.55, 1.15),
            contrast=rng.uniform(0.65, 1.12),
            brightness=rng.uniform(-26, 30),
            curve=rng.uniform(-0.22, 0.45),
            blur=rng.uniform(0.0, 0.75),
            noise=rng.uniform(5, 22),
            hidden=rng.uniform(0.05, 0.3),
            scene=(*key, 1),
        )

    def backdrop(self, height: int, width: int, aside: float, down: float) -> FloatArray:
        """The empty scene around one person, as a picture (3, height, width), to be drawn on.

        Args:
            height: Of the picture.
            width: Of the picture.
            aside: 0..1, how far to the right in the scene the person is.
            down: 0..1, how far down.
        """
        scene = _scene(self.scene, height, width, self.ground)
        top = int(down * (scene.shape[1] - height))
        left = int(aside * (scene.shape[2] - width))
        return scene[:, top : top + height, left : left + width].astype(np.float32)

    def develop(self, picture: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The camera's rendition of a scene, with its colours, blur and noise.

        Args:
            picture: Array (3, height, width), float32, 0..255; used up.
            rng: Source of the noise, and of how bright the moment is.

        Returns:
            Array (height, width, 3), uint8.
        """
        moment = rng.uniform(0.88, 1.12)
        if self.blur > 0.05:
            picture = _blurred(picture, self.blur)
        grey = (picture[0] + picture[1] + picture[2]) * np.float32((1 - self.saturation) / 3)
        picture *= np.float32(self.saturation * self.contrast * moment)
        picture += grey * np.float32(self.contrast * moment)
        picture += np.float32(118 * (1 - self.contrast) + self.brightness)
        picture *= np.asarray(self.gain, np.float32)[:, None, None]
        bent = picture * np.float32(-1 / 255)
        bent += np.float32(1)
        bent *= picture
        bent *= np.float32(self.curve)
        picture += bent
        # The sum of two bytes rather than one: noise with a peak in the middle.
        dice = np.frombuffer(rng.bytes(2 * picture.size), np.uint8).reshape(2, *picture.shape)
        noise = np.add(dice[0], dice[1], dtype=np.int16)
        picture += noise * np.float32(self.noise / 255.0)
        picture += np.float32(0.5 - self.noise)  # the noise's mean; and rounding is cutting off
        np.maximum(picture, np.float32(0), out=picture)
        np.minimum(picture, np.float32(255), out=picture)
        return np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))


@lru_cache(maxsize=32)
def _scene(key: tuple[int, ...], height: int, width: int, ground: float) -> NDArray[np.uint8]:
    """A camera's whole scene: it takes as long as some pictures, and is the same for all."""
    rng = np.random.default_rng(key)
    unit = min(height, width * 2.0)
    scene = draw_place(rng, int(height * _TALLER) + 1, int(width * _WIDER) + 1, unit, ground)
    return np.minimum(np.maximum(scene, 0), 255).astype(np.uint8)  # a quarter of the memory


def _blurred(picture: FloatArray, blur: float) -> FloatArray:
    """Each value mixed with its neighbours, down and across; the same at every size."""
    step = max(1, round(picture.shape[1] / 128))
    own, other = np.float32(1 - blur * 0.6), np.float32(blur * 0.3)
    for axis in (1, 2):
        shape = [(0, 0), (0, 0), (0, 0)]
        shape[axis] = (step, step)
        padded = np.pad(picture, shape, mode="edge")
        first, last = [slice(None)] * 3, [slice(None)] * 3
        first[axis], last[axis] = slice(None, -2 * step), slice(2 * step, None)
        around = padded[tuple(first)] + padded[tuple(last)]
        around *= other
        picture *= own
        picture += around
    return picture
