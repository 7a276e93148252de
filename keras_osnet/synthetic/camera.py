"""A camera, and the images that it takes of people in situations."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from keras_osnet.synthetic.appearance import Appearance
from keras_osnet.synthetic.body import draw_figure
from keras_osnet.synthetic.places import draw_obstacle, draw_place
from keras_osnet.synthetic.pose import Pose
from keras_osnet.synthetic.shapes import Canvas, Color, FloatArray

_WIDER, _TALLER = 3.0, 1.12
"""Ratio of the size of a camera's scene to that of an image of one person in it."""

_VISIBLE = 10.0
"""Smallest visible difference of two values of a channel, of 255."""


@dataclass(frozen=True)
class Camera:
    """The properties shared by all images of one camera.

    Attributes:
        elevation: Sine of the angle at which it looks down.
        ground: Where the ground begins, as a share of the image's height.
        light: -1..1, the side that the light falls from.
        gain: Factor of red, green and blue.
        saturation: Of colors; 1 leaves them as they are.
        contrast: Factor, about the middle gray.
        brightness: Added to all channels.
        curve: Bends the middle tones up or down.
        blur: 0..1, 0 is sharp.
        noise: Largest deviation of a value, 0..255.
        hidden: Share of the images in which something stands in front of the person.
        scene: Seed of the scene.
    """

    elevation: float
    ground: float
    light: float
    gain: Color
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
        """Draw the camera of a key."""
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
        """Return the empty scene around one person, an image (3, height, width) to draw on.

        Args:
            height: Of the image.
            width: Of the image.
            aside: 0..1, how far to the right in the scene the person is.
            down: 0..1, how far down.
        """
        scene = _scene(self.scene, height, width, self.ground)
        top = int(down * (scene.shape[1] - height))
        left = int(aside * (scene.shape[2] - width))
        return scene[:, top : top + height, left : left + width].astype(np.float32)

    def develop(self, image: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return a scene with the camera's colors, blur and noise.

        Args:
            image: Array (3, height, width), float32, 0..255; overwritten.
            rng: Source of the noise and of the brightness of this image.

        Returns:
            Array (height, width, 3), uint8.
        """
        moment = rng.uniform(0.88, 1.12)
        if self.blur > 0.05:
            image = _blurred(image, self.blur)
        gray = (image[0] + image[1] + image[2]) * np.float32((1 - self.saturation) / 3)
        image *= np.float32(self.saturation * self.contrast * moment)
        image += gray * np.float32(self.contrast * moment)
        image += np.float32(118 * (1 - self.contrast) + self.brightness)
        image *= np.asarray(self.gain, np.float32)[:, None, None]
        bent = image * np.float32(-1 / 255)
        bent += np.float32(1)
        bent *= image
        bent *= np.float32(self.curve)
        image += bent
        # The sum of two bytes rather than one: noise with a peak in the middle.
        dice = np.frombuffer(rng.bytes(2 * image.size), np.uint8).reshape(2, *image.shape)
        noise = np.add(dice[0], dice[1], dtype=np.int16)
        image += noise * np.float32(self.noise / 255.0)
        image += np.float32(
            0.5 - self.noise
        )  # minus the noise's mean, plus 0.5 to round by truncation
        np.maximum(image, np.float32(0), out=image)
        np.minimum(image, np.float32(255), out=image)
        return np.ascontiguousarray(image.astype(np.uint8).transpose(1, 2, 0))


@dataclass(frozen=True)
class Situation:
    """Everything that an image shows except the person.

    Attributes:
        seed: Seed of all people and cameras.
        identity: The identity whose situation it is.
        camera: The camera.
        view: Index of the image of that identity under that camera.
        image_size: (height, width) of the image.
    """

    seed: int
    identity: int
    camera: int
    view: int
    image_size: tuple[int, int]

    def pose(self) -> Pose:
        """Return the person's pose."""
        return self._begin()[1]

    def photograph(self, person: Appearance) -> NDArray[np.uint8]:
        """Return the image of a person in this situation: array (height, width, 3), uint8."""
        rng, pose = self._begin()
        scene = self._scene(person, pose, rng)
        return _camera(self.seed, self.camera).develop(scene, rng)

    def differences(self, people: list[Appearance]) -> NDArray[np.bool_]:
        """Return where images of these people in this situation differ from the first one's.

        Returns:
            Array (height, width), bool: where the scene differs visibly. The camera's blur spreads
            that by about a pixel.
        """
        scenes = [
            self._scene(person, pose, rng) for person in people for rng, pose in [self._begin()]
        ]
        differ = np.zeros(self.image_size, bool)
        for scene in scenes[1:]:
            differ |= (np.abs(scene - scenes[0]) > _VISIBLE).any(axis=0)
        return differ

    def _begin(self) -> tuple[np.random.Generator, Pose]:
        """Return the generator after the pose is drawn, and the pose."""
        rng = np.random.default_rng([self.seed, 2, self.identity, self.camera, self.view])
        elevation = _camera(self.seed, self.camera).elevation
        return rng, Pose.draw(rng, *self.image_size, elevation)

    def _scene(self, person: Appearance, pose: Pose, rng: np.random.Generator) -> FloatArray:
        """Return the scene in front of the camera."""
        camera = _camera(self.seed, self.camera)
        backdrop = camera.backdrop(*self.image_size, aside=rng.random(), down=rng.random())
        canvas = Canvas(backdrop, camera.light)
        draw_figure(canvas, person, pose)
        draw_obstacle(canvas, rng, camera.hidden)
        return canvas.pixels


@lru_cache(maxsize=256)
def _camera(seed: int, camera: int) -> Camera:
    return Camera.draw((seed, 1, camera))


@lru_cache(maxsize=32)
def _scene(key: tuple[int, ...], height: int, width: int, ground: float) -> NDArray[np.uint8]:
    """Return a camera's whole scene, which is the same for all images and slow to draw."""
    rng = np.random.default_rng(key)
    unit = min(height, width * 2.0)
    scene = draw_place(rng, int(height * _TALLER) + 1, int(width * _WIDER) + 1, unit, ground)
    return np.minimum(np.maximum(scene, 0), 255).astype(np.uint8)  # a quarter of the memory


def _blurred(image: FloatArray, blur: float) -> FloatArray:
    """Mix each value with its neighbors, down and across; the same at every size."""
    step = max(1, round(image.shape[1] / 128))
    own, other = np.float32(1 - blur * 0.6), np.float32(blur * 0.3)
    for axis in (1, 2):
        shape = [(0, 0), (0, 0), (0, 0)]
        shape[axis] = (step, step)
        padded = np.pad(image, shape, mode="edge")
        first, last = [slice(None)] * 3, [slice(None)] * 3
        first[axis], last[axis] = slice(None, -2 * step), slice(2 * step, None)
        around = padded[tuple(first)] + padded[tuple(last)]
        around *= other
        image *= own
        image += around
    return image
