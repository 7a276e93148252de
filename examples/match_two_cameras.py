"""Who is who in two cameras? Crops of a frame in, vectors out, matched by cosine; no network.

It draws a frame of each of two cameras with people in it, takes their boxes as a detector would
give them, embeds the crops with an exported model, and matches the people of one frame with those
of the other. A tracker does the same with its own frames and boxes: the three lines that it needs
are in `embed_people`. Neither TensorFlow nor Keras is needed with an exported file:

    python examples/match_two_cameras.py --model osnet_x0_25.tflite

Without one, a model is exported first (`pip install "keras-osnet[deploy]"`): that of `--weights`,
or else a network that was never trained, which goes by the cameras' colours rather than by the
people's, and finds hardly anybody. The trained model of `first_run.py` knows such people better:

    python examples/first_run.py
    python examples/match_two_cameras.py --weights first_run/trained.keras
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_osnet.data import synthetic_person
from keras_osnet.runtime import Embedder

FRAME = (360, 640)
FIRST_IDENTITY = 1000
"""People whom `first_run.py` does not train on."""

LEAST_COSINE = 0.2
"""Below it, two people who are each other's nearest are nobody's match."""

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#00a0a0", "#f032e6", "#9a6324")


def main() -> None:
    """Draw, embed, match, show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="an exported file: .tflite, .onnx or .xml")
    parser.add_argument("--weights", help="without --model: a tag or file of weights to export")
    parser.add_argument("--people", type=int, default=6, help="how many each camera sees, from 2")
    parser.add_argument("--folder", type=Path, default=Path("two_cameras"), help="where to write")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)

    model = arguments.model
    if model is None:
        model = arguments.folder / "osnet.tflite"
        export_model(model, arguments.weights)
    embedder = Embedder(model)
    print(f"{model} runs in {embedder.engine}: {embedder.size} pixels to {embedder.dim} numbers\n")

    # One of each camera's people is not seen by the other.
    seen = [list(range(arguments.people)), list(range(1, arguments.people + 1))]
    rng = np.random.default_rng(0)
    frames, boxes, vectors = [], [], []
    for camera, people in enumerate(seen):
        rng.shuffle(people)
        frame, boxes_of_people = draw_frame(camera, people, rng)
        frames.append(frame)
        boxes.append(boxes_of_people)
        vectors.append(embed_people(embedder, frame, boxes_of_people))

    similarities = centred(vectors[0]) @ centred(vectors[1]).T
    pairs = [pair for pair in mutual_nearest(similarities) if similarities[pair] > LEAST_COSINE]
    print("left   right  cosine  truth")
    for left, right in pairs:
        right_or_wrong = "same person" if seen[0][left] == seen[1][right] else "another person"
        cosine = similarities[left, right]
        print(f"{left + 1:<6} {right + 1:<6} {cosine:<7.3f} {right_or_wrong}")
    found = sum(seen[0][left] == seen[1][right] for left, right in pairs)
    print(f"\n{found} of {arguments.people - 1} people who are in both frames were found again.")
    picture = arguments.folder / "matches.png"
    draw_matches(frames, boxes, pairs).save(picture)
    print(f"Look at {picture}")


def embed_people(embedder: Embedder, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return a vector of length 1 for each box: all that a tracker needs.

    With OpenCV, whose frames are BGR: `embedder.embed_crops(frame[:, :, ::-1], boxes)`.
    """
    return embedder.embed_crops(frame, boxes)


def centred(vectors: np.ndarray) -> np.ndarray:
    """Take out what all people of one camera share, such as its light and background."""
    differences = vectors - vectors.mean(axis=0)
    return differences / np.linalg.norm(differences, axis=1, keepdims=True)


def mutual_nearest(similarities: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs (row, column) that are each other's most similar, best pair first."""
    nearest = similarities.argmax(axis=1)
    pairs = [
        (row, int(column))
        for row, column in enumerate(nearest)
        if similarities[:, column].argmax() == row
    ]
    return sorted(pairs, key=lambda pair: -similarities[pair])


def draw_frame(
    camera: int, people: list[int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw people side by side, and return the frame and the (left, top, right, bottom) of each."""
    height, width = FRAME
    frame = np.full((height, width, 3), (96, 104, 112) if camera == 0 else (128, 118, 98), np.uint8)
    frame = np.clip(frame + rng.normal(0, 4, frame.shape), 0, 255).astype(np.uint8)
    slot = width // len(people)
    boxes = []
    for place, person in enumerate(people):
        box_width = round(min(slot * 0.9, height * 0.42) * rng.uniform(0.8, 1))
        size = (2 * box_width, box_width)
        left = place * slot + int(rng.integers(0, slot - box_width + 1))
        top = int(rng.integers(0, height - size[0] + 1))
        view = int(rng.integers(0, 4))
        crop = synthetic_person(FIRST_IDENTITY + person, camera, view, size=size)
        frame[top : top + size[0], left : left + size[1]] = crop
        boxes.append((left, top, left + size[1], top + size[0]))
    return frame, np.array(boxes)


def draw_matches(
    frames: list[np.ndarray], boxes: list[np.ndarray], pairs: list[tuple[int, int]]
) -> Image.Image:
    """Put two frames side by side, with matched people boxed and joined in one colour."""
    picture = Image.fromarray(np.concatenate(frames, axis=1))
    draw = ImageDraw.Draw(picture)
    shifted = [boxes[0], boxes[1] + [FRAME[1], 0, FRAME[1], 0]]
    for side in shifted:
        for number, box in enumerate(side.tolist(), start=1):
            draw.rectangle(box, outline="white")
            draw.text((box[0] + 4, box[1] + 2), str(number), fill="white")
    for index, (left, right) in enumerate(pairs):
        colour = COLOURS[index % len(COLOURS)]
        ends = []
        for side, place in zip(shifted, (left, right), strict=True):
            box = side[place].tolist()
            draw.rectangle(box, outline=colour, width=3)
            ends.append(((box[0] + box[2]) // 2, (box[1] + box[3]) // 2))
        draw.line(ends, fill=colour, width=2)
    return picture


def export_model(path: Path, weights: str | None) -> None:
    """Export published or trained weights, or an untrained network, to a `.tflite` file."""
    from keras_osnet.cli.keras_import import import_keras

    import_keras()  # as the command line does: without TensorFlow's notes on its own start
    import keras

    import keras_osnet
    from keras_osnet.deploy import export_tflite
    from keras_osnet.models import open_checkpoint

    keras.utils.set_random_seed(0)
    if weights is None:
        print("The network was never trained; give --model or --weights for better matches.")
        model = keras_osnet.OSNet(0.25, head="embedding", include_preprocessing=True)
    else:
        model, _ = open_checkpoint(weights).build(head="embedding", include_preprocessing=True)
    print(f"Exporting {model.name} to {path}")
    export_tflite(model, path)


if __name__ == "__main__":
    main()
