"""A video of two cameras: synthetic people who cross, turn back, change the camera and return."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_osnet.synthetic import synthetic_person

CAMERAS = (1, 5)
"""Synthetic cameras: a brick wall in the sun, and a park."""

FIRST_IDENTITY = 11_000
"""Identities from here on are not part of the training data of the bundled weights."""

HEIGHT, WIDTH = 200, 640
"""Of one camera's image in pixels; the second camera is below the first one."""

NEAR, FAR = (180, 90), (144, 72)
"""(height, width) of people on the near and the far lane."""

SPEED, PAUSE = 8, 8
"""Pixels per frame; frames that people who meet stand still before they turn back."""

POSE = 6
"""Frames that a person keeps a pose."""

MEETINGS = (
    (0, 0, 0, 1, "cross"),
    (0, 45, 2, 3, "turn"),
    (0, 90, 4, 5, "cross"),
    (0, 135, 6, 7, "turn"),
    (1, 140, 0, 2, "turn"),
    (1, 185, 3, 1, "cross"),
    (1, 240, 6, 4, "turn"),
    (1, 285, 5, 7, "cross"),
    (0, 250, 0, 3, "cross"),
    (0, 300, 2, 1, "turn"),
)
"""Camera, first frame, person who comes from the left on the near lane, person who comes from the
right on the far lane, and whether they pass each other or turn back."""


@dataclass(frozen=True)
class Video:
    """Both cameras, one image below the other, with the boxes of visible people; n of them.

    Attributes:
        images: Array (frames, 2 × HEIGHT, WIDTH, 3), uint8, RGB.
        frames: Array (n,): frame of each box, ascending.
        people: Array (n,): person in each box, from 0.
        cameras: Array (n,): 0 or 1.
        boxes: Array (n, 4): left, top, right, bottom in the image.
    """

    images: np.ndarray
    frames: np.ndarray
    people: np.ndarray
    cameras: np.ndarray
    boxes: np.ndarray

    def save(self, path: Path) -> None:
        """Write the arrays to a `.npz` file under the names of the attributes."""
        np.savez(path, **vars(self))


def two_cameras() -> Video:
    """Draw the video."""
    streets = [draw_street(camera) for camera in CAMERAS]
    end = max(start for _, start, *_ in MEETINGS) + len(_positions("turn", NEAR[1]))
    images, rows = [], []
    for moment in range(end):
        image, visible = _frame(streets, moment)
        images.append(image)
        rows += [(moment, person, camera, *box) for (person, camera), box in visible.items()]
    table = np.array(rows)
    return Video(np.stack(images), table[:, 0], table[:, 1], table[:, 2], table[:, 3:])


def _frame(
    streets: list[np.ndarray], moment: int
) -> tuple[np.ndarray, dict[tuple[int, int], tuple[int, int, int, int]]]:
    """Return the image, and the boxes of the people whom a detector would see, by who and where."""
    images = [street.copy() for street in streets]
    boxes: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    walking = [
        (size == NEAR, camera, person, step, left)
        for camera, start, near, far, kind in MEETINGS
        for person, size in ((near, NEAR), (far, FAR))
        if 0 <= (step := moment - start) < len(lefts := _positions(kind, size[1]))
        for left in [lefts[step] if size == NEAR else WIDTH - size[1] - lefts[step]]
    ]
    for is_near, camera, person, step, left in sorted(walking):  # the far lane first
        height, width = NEAR if is_near else FAR
        top = HEIGHT - height - (0 if is_near else 20)
        _paste(images[camera], person, camera, step, (left, top, left + width, top + height))
        top += camera * HEIGHT
        box = left, top, left + width, top + height
        # A detector does not see people of whom less than half is visible.
        boxes = {who: other for who, other in boxes.items() if _hidden(other, box) < 0.5}
        boxes[person, camera] = box
    return np.concatenate(images), boxes


def _positions(kind: str, width: int) -> list[int]:
    """Return the distance of a person from the side where they came in, by frame."""
    there = list(range(0, WIDTH - width + 1, SPEED))
    if kind == "cross":
        return there
    until = there[: len(there) // 2]
    return until + until[-1:] * PAUSE + until[::-1]


def _hidden(box: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return the part of a box that another one hides."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0) * max(height, 0) / ((box[2] - box[0]) * (box[3] - box[1]))


def _paste(image: np.ndarray, person: int, camera: int, step: int, box: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    size = (bottom - top, right - left)
    crop = synthetic_person(FIRST_IDENTITY + person, CAMERAS[camera], step // POSE, image_size=size)
    fade = np.clip(6 - 6 * np.abs(np.linspace(-1, 1, size[1])), 0, 1)[:, None]
    place = image[top:bottom, left:right]
    place[:] = fade * crop + (1 - fade) * place


def draw_street(camera: int) -> np.ndarray:
    """Draw an empty street from the edges of images of people, which only show background."""
    crops = [synthetic_person(person, camera, 0, image_size=(HEIGHT, 96)) for person in range(24)]
    edges = np.concatenate([crop[:, [0, 1, -2, -1]] for crop in crops], axis=1)
    return np.repeat(np.median(edges, axis=1, keepdims=True), WIDTH, axis=1).astype(np.uint8)
