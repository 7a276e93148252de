"""Draw the videos of four cameras, the boxes that a detector and tracker would find, and the truth.

Nobody in them is real, and none of the people is part of the training data of the bundled weights.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from keras_osnet.synthetic import synthetic_person

CAMERAS = {"gate": 1, "yard": 5, "hall": 2, "garage": 6}
"""Names of the cameras, and the synthetic camera of each: its place, light and colors."""

PHOTO_CAMERA = 3
"""Of the photos of people who are looked for."""

FIRST_PERSON, FIRST_STRANGER = 11_000, 12_000

FRAMES_PER_SECOND = 2
START = datetime(2026, 11, 27, 14, tzinfo=UTC)

PERSON, STREET = (160, 80), 640
"""Height and width of a person's box, and width of a frame, in pixels."""

STEP = 32
"""Pixels per frame that people walk."""

CROSSING = (STREET - PERSON[1]) // STEP
"""Frames that a person is seen."""


@dataclass(frozen=True)
class Walk:
    """A person's way past a camera.

    Attributes:
        person: The person, from 0.
        camera: Name of the camera.
        start: The first frame.
    """

    person: int
    camera: str
    start: int


def draw_cameras(folder: Path, people: int, strangers: int) -> None:
    """Write videos, boxes, truth and photos, unless they are there.

    Args:
        folder: Gets `videos/`, `boxes.csv`, `truth.csv` and `photos/`.
        people: Number of people who walk past cameras.
        strangers: Number of people who have a photo, but are in no video.

    Raises:
        ValueError: Videos of another number of people are there.
    """
    if (folder / "truth.csv").exists():  # written last
        there = len(list((folder / "photos").glob("person-*.png")))
        if there != people:
            raise ValueError(
                f"--folder holds videos of {there} people: give another one. Received: {folder}"
            )
        return
    for each in ("videos", "photos"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    walks = plan_walks(people)
    last = max(walk.start for walk in walks) + CROSSING + 10 * FRAMES_PER_SECOND
    for camera in CAMERAS:
        print(f"Drawing {folder / 'videos' / camera}.avi")
        draw_video(folder / "videos" / f"{camera}.avi", camera, walks, last)
    identities = [FIRST_PERSON + each for each in range(people)]
    identities += [FIRST_STRANGER + each for each in range(strangers)]
    for number, identity in enumerate(identities):
        name = f"person-{number + 1}" if number < people else f"stranger-{number - people + 1}"
        photo = synthetic_person(identity, PHOTO_CAMERA, 1, image_size=(256, 128))
        Image.fromarray(photo).save(folder / "photos" / f"{name}.png")
    write_table(folder / "boxes.csv", boxes_of(walks))
    truth = [{"tracklet": tracklet(walk), "person": f"person-{walk.person + 1}"} for walk in walks]
    write_table(folder / ".truth.csv", truth)
    (folder / ".truth.csv").replace(folder / "truth.csv")


def plan_walks(people: int) -> list[Walk]:
    """Let each person pass two to four cameras; nobody meets anybody."""
    rng = np.random.default_rng(0)
    walks: list[Walk] = []
    for person in range(people):
        frame = 10 + person * 35
        for camera in rng.permutation(list(CAMERAS))[: rng.integers(2, len(CAMERAS) + 1)].tolist():
            busy = [walk.start for walk in walks if walk.camera == camera]
            while any(abs(frame - start) < CROSSING + 4 for start in busy):
                frame += 4
            walks.append(Walk(person, camera, frame))
            frame += CROSSING + int(rng.integers(20, 120))
    return walks


def draw_video(path: Path, camera: str, walks: list[Walk], frames: int) -> None:
    """Write a video of a street with the people who pass."""
    street = draw_street(CAMERAS[camera])
    temporary = path.with_name(f".{path.name}")
    size = (street.shape[1], street.shape[0])
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    video = cv2.VideoWriter(str(temporary), cv2.CAP_OPENCV_MJPEG, codec, FRAMES_PER_SECOND, size)
    present = {step: walk for walk in walks if walk.camera == camera for step in steps_of(walk)}
    for number in range(frames):
        frame = street.copy()
        if number in present:
            draw_person(frame, CAMERAS[camera], present[number], number)
        video.write(np.ascontiguousarray(frame[..., ::-1]))  # OpenCV has BGR
    video.release()
    temporary.replace(path)  # so that a video is whole


def draw_person(frame: np.ndarray, camera: int, walk: Walk, number: int) -> None:
    """Draw a person into a frame, in a new pose every third one."""
    height, width = PERSON
    view = (number - walk.start) // 3
    crop = synthetic_person(FIRST_PERSON + walk.person, camera, view, image_size=PERSON)
    faded = np.clip(6 - 6 * np.abs(np.linspace(-1, 1, width)), 0, 1)[:, None]  # fade at both sides
    left = left_of(walk, number)
    place = frame[-height:, left : left + width]
    place[:] = faded * crop + (1 - faded) * place


def draw_street(camera: int) -> np.ndarray:
    """Draw an empty street from the edges of images of people, which only show background."""
    crops = [synthetic_person(person, camera, 0, image_size=PERSON) for person in range(24)]
    edges = np.concatenate([crop[:, [0, 1, -2, -1]] for crop in crops], axis=1)
    return np.repeat(np.median(edges, axis=1, keepdims=True), STREET, axis=1).astype(np.uint8)


def boxes_of(walks: list[Walk]) -> Iterator[dict[str, object]]:
    """Yield the rows of `boxes.csv`; a tracker gives a new number to everybody who comes."""
    height, width = PERSON
    for walk in sorted(walks, key=lambda each: (each.camera, each.start)):
        for frame in steps_of(walk):
            left = left_of(walk, frame)
            yield {
                "video": f"{walk.camera}.avi",
                "frame": frame,
                "left": left,
                "top": 0,
                "right": left + width,
                "bottom": height,
                "track": walk.start,
                "camera": walk.camera,
                "time": (START + timedelta(seconds=frame / FRAMES_PER_SECOND)).isoformat(),
            }


def tracklet(walk: Walk) -> str:
    """Return the name that a walk has in the gallery."""
    return f"{walk.camera}.avi:{walk.start}"


def steps_of(walk: Walk) -> range:
    """Return the frames in which a person is seen."""
    return range(walk.start, walk.start + CROSSING)


def left_of(walk: Walk, frame: int) -> int:
    """Return where a person is; every other one comes from the right."""
    done = (frame - walk.start) * STEP
    return done if walk.person % 2 == 0 else STREET - PERSON[1] - done


def write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV file."""
    listed = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
