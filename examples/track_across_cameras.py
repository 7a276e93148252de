"""Track people across two cameras by appearance; offline.

This script draws a video of two streets with synthetic people, uses their boxes in place of a
detector's, embeds the crops of each frame with an exported model, and gives each person the number
of the most similar person seen before. `Tracker` uses appearance only; a real tracker also uses
motion. With an exported file, neither TensorFlow nor Keras is needed:

    python examples/track_across_cameras.py --model people.tflite

Without `--model`, the bundled weights for synthetic people are exported first, which needs the
extra `[deploy]`.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import synthetic_person

CAMERAS = (1, 5)
"""Synthetic cameras: a brick wall in the sun, and a park."""

FIRST_IDENTITY = 10_000
"""From here, 13_000 and 14_000 on, all numbers are right.

From 11_000, 12_000 and 15_000 on, 1 to 32 of the 258 boxes have a wrong one.
"""

PERSON, STREET = (160, 80), 640
"""Height and width of a person's box, and width of a frame, in pixels."""

STEP, LATER, ELSEWHERE = 32, 7, 4
"""Pixels per frame; frames between people; frames between the two cameras."""

MIN_COSINE = 0.6
"""Below this similarity, a person is considered new."""

COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#00a0a0", "#f032e6", "#9a6324")


def main() -> None:
    """Draw a video, track people, print the accuracy, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="exported file: .tflite, .onnx or .xml")
    parser.add_argument("--people", type=int, default=8, help="number of people")
    parser.add_argument("--folder", type=Path, default=Path("two_cameras"), help="output folder")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = arguments.model or export_model(arguments.folder / "people.tflite")
    embedder = Embedder(model)
    print(f"{model} runs in {embedder.engine}: {embedder.image_size} to {embedder.dim} values\n")

    camera_means = [embedder.embed(passers_by(camera)).mean(axis=0) for camera in CAMERAS]
    tracker = Tracker()
    seen: list[tuple[int, int, int]] = []  # camera, person, number
    frames = []
    for moment in video(arguments.people):
        both = []
        for camera, scene in enumerate(moment):
            vectors = embedder.embed_crops(scene.frame, scene.boxes)
            numbers = tracker.update(subtract_mean(vectors, camera_means[camera]))
            seen += [(camera, *pair) for pair in zip(scene.people, numbers, strict=True)]
            both.append(with_boxes(scene, numbers))
        frames.append(Image.fromarray(np.concatenate(both)))

    report(seen)
    video_file = arguments.folder / "video.gif"
    frames[0].save(video_file, save_all=True, append_images=frames[1:], duration=120, loop=0)
    strip_file = arguments.folder / "strip.png"
    moments = np.linspace(0, len(frames) - 1, 5).round().astype(int)[1:-1]
    Image.fromarray(np.concatenate([np.array(frames[each]) for each in moments])).save(strip_file)
    print(f"\nVideo: {video_file}; three of its frames: {strip_file}")


def subtract_mean(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Remove what all images of a camera have in common, such as light and background."""
    differences = vectors - mean
    return differences / np.linalg.norm(differences, axis=1, keepdims=True)


class Tracker:
    """Assign numbers from 1 to people, each represented by the mean of their embeddings."""

    def __init__(self) -> None:
        self.means: list[np.ndarray] = []

    def update(self, vectors: np.ndarray) -> list[int]:
        """Return the number of each person in a frame; no number is used twice.

        Args:
            vectors: Array (people, dim), each of length 1.
        """
        numbers = [0] * len(vectors)
        cosines = vectors @ np.reshape(self.means, (-1, vectors.shape[1])).T
        while cosines.size and cosines.max() >= MIN_COSINE:
            person, known = np.unravel_index(cosines.argmax(), cosines.shape)
            numbers[person] = int(known) + 1
            cosines[person], cosines[:, known] = -1, -1
        for person, vector in enumerate(vectors):
            if numbers[person] == 0:
                self.means.append(vector)
                numbers[person] = len(self.means)
            mean = 0.9 * self.means[numbers[person] - 1] + 0.1 * vector
            self.means[numbers[person] - 1] = mean / np.linalg.norm(mean)
        return numbers


def report(seen: list[tuple[int, int, int]]) -> None:
    """Print how often each person got the right number.

    The right number is the first one that the person got, unless another person had it already.
    """
    expected: dict[int, int] = {}
    for _, person, number in seen:
        if person not in expected and number not in expected.values():
            expected[person] = number
    print("person  number  right under camera 1  right under camera 2")
    for person in sorted({person for _, person, _ in seen}):
        right = [
            [number == expected.get(person) for where, who, number in seen if (where, who) == at]
            for at in ((0, person), (1, person))
        ]
        shares = [f"{sum(each)} of {len(each)}" for each in right]
        print(f"{person + 1:<7} {expected.get(person, '-'):<7} {shares[0]:<21} {shares[1]}")
    for camera in (0, 1):
        under = [number == expected.get(person) for at, person, number in seen if at == camera]
        print(f"camera {camera + 1}: {sum(under)} of {len(under)} boxes have the right number")


@dataclass(frozen=True)
class Scene:
    """A frame, uint8, RGB, and its people with the box (left, top, right, bottom) of each."""

    frame: np.ndarray
    people: list[int]
    boxes: np.ndarray


def video(people: int) -> list[list[Scene]]:
    """Draw people who walk past one camera, then the other; return scenes by time and camera."""
    crossing = (STREET - PERSON[1]) // STEP
    end = (people - 1) * LATER + 2 * crossing + ELSEWHERE
    streets = [draw_street(camera) for camera in CAMERAS]
    moments = []
    for moment in range(end):
        scenes = []
        for place, camera in enumerate(CAMERAS):
            steps = {
                person: moment - person * LATER - place * (crossing + ELSEWHERE)
                for person in range(people)
            }
            walking = {who: step for who, step in steps.items() if 0 <= step < crossing}
            scenes.append(draw_scene(streets[place], camera, walking))
        moments.append(scenes)
    return moments


def draw_scene(street: np.ndarray, camera: int, walking: dict[int, int]) -> Scene:
    """Draw people at their current steps; every other one comes from the right."""
    height, width = PERSON
    frame, lefts = street.copy(), {}
    faded = np.clip(6 - 6 * np.abs(np.linspace(-1, 1, width)), 0, 1)[:, None]  # fade at both sides
    for person, step in walking.items():
        left = step * STEP if person % 2 == 0 else STREET - width - step * STEP
        # A new pose every third step.
        crop = synthetic_person(FIRST_IDENTITY + person, camera, step // 3, image_size=PERSON)
        place = frame[:, left : left + width]
        place[:] = faded * crop + (1 - faded) * place
        # A detector does not see occluded people.
        lefts = {who: other for who, other in lefts.items() if abs(other - left) >= width // 2}
        lefts[person] = left
    boxes = [(left, 0, left + width, height) for left in lefts.values()]
    return Scene(frame, list(lefts), np.reshape(boxes, (-1, 4)))


def passers_by(camera: int) -> list[np.ndarray]:
    """Draw other people under a camera."""
    return [synthetic_person(person, camera, 0, image_size=PERSON) for person in range(24)]


def draw_street(camera: int) -> np.ndarray:
    """Draw an empty street from the edges of images of people, which only show background."""
    edges = np.concatenate([crop[:, [0, 1, -2, -1]] for crop in passers_by(camera)], axis=1)
    return np.repeat(np.median(edges, axis=1, keepdims=True), STREET, axis=1).astype(np.uint8)


def with_boxes(scene: Scene, numbers: list[int]) -> np.ndarray:
    """Draw the boxes of a frame in the colors of their numbers."""
    image = Image.fromarray(scene.frame)
    draw = ImageDraw.Draw(image)
    for box, number in zip(scene.boxes.tolist(), numbers, strict=True):
        color = COLORS[(number - 1) % len(COLORS)]
        draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=color, width=3)
        draw.rectangle((box[0], box[1], box[0] + 20, box[1] + 14), fill=color)
        draw.text((box[0] + 4, box[1] + 1), str(number), fill="white")
    return np.array(image)


def export_model(path: Path) -> Path:
    """Export the bundled weights to a `.tflite` file."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's start-up messages
    from keras_osnet import OSNet
    from keras_osnet.deploy import export

    print(f"Exporting to {path}")
    model = OSNet(0.25, weights="synthetic", head="embedding", include_preprocessing=True)
    export(model, path)
    return path


if __name__ == "__main__":
    main()
