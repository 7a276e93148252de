"""One picture: a person in a situation, seen by a camera."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from keras_osnet.synthetic.drawing.appearance import Appearance
from keras_osnet.synthetic.drawing.body import draw_figure
from keras_osnet.synthetic.drawing.camera import Camera
from keras_osnet.synthetic.drawing.obstacles import draw_obstacle
from keras_osnet.synthetic.drawing.pose import Pose
from keras_osnet.synthetic.drawing.shapes import Canvas, FloatArray

_VISIBLE = 10.0
"""Two values of a channel that differ by less, of 255, look the same."""


@dataclass(frozen=True)
class Situation:
    """What a picture shows but for who is in it.

    Attributes:
        seed: Of the world.
        identity: Whose situation it is.
        camera: Which camera sees it.
        view: Which picture of that identity under that camera.
        image_size: (height, width) of the picture.
    """

    seed: int
    identity: int
    camera: int
    view: int
    image_size: tuple[int, int]

    def pose(self) -> Pose:
        """The pose that the person takes."""
        return self._begin()[1]

    def photograph(self, person: Appearance) -> NDArray[np.uint8]:
        """The picture of a person in this situation: array (height, width, 3), uint8."""
        rng, pose = self._begin()
        scene = self._scene(person, pose, rng)
        return _camera(self.seed, self.camera).develop(scene, rng)

    def differences(self, people: list[Appearance]) -> NDArray[np.bool_]:
        """Where pictures of these people in this situation differ from the first one's.

        Returns:
            Array (height, width), bool: where light that reaches the camera differs visibly. Its
            blur spreads that by a pixel or so.
        """
        scenes = [
            self._scene(person, pose, rng) for person in people for rng, pose in [self._begin()]
        ]
        differ = np.zeros(self.image_size, bool)
        for scene in scenes[1:]:
            differ |= (np.abs(scene - scenes[0]) > _VISIBLE).any(axis=0)
        return differ

    def _begin(self) -> tuple[np.random.Generator, Pose]:
        """The situation's randomness after the pose is drawn, and the pose."""
        rng = np.random.default_rng([self.seed, 2, self.identity, self.camera, self.view])
        elevation = _camera(self.seed, self.camera).elevation
        return rng, Pose.draw(rng, *self.image_size, elevation)

    def _scene(self, person: Appearance, pose: Pose, rng: np.random.Generator) -> FloatArray:
        """What is before the camera."""
        camera = _camera(self.seed, self.camera)
        backdrop = camera.backdrop(*self.image_size, aside=rng.random(), down=rng.random())
        canvas = Canvas(backdrop, camera.light)
        draw_figure(canvas, person, pose)
        draw_obstacle(canvas, rng, camera.hidden)
        return canvas.pixels


@lru_cache(maxsize=256)
def _camera(seed: int, camera: int) -> Camera:
    return Camera.draw((seed, 1, camera))
