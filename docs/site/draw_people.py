"""Draw the images of synthetic people: `python docs/site/draw_people.py` writes docs/images/*.jpg.

None of the people is real, and none is part of the training data of the bundled weights, which
`lists`, `maps` and `attributes` use. `video` runs the tracking example.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_osnet._utils.files import atomic_path
from keras_osnet.synthetic import synthetic_person

IMAGES = Path(__file__).parents[1] / "images"
VIDEO = Path(__file__).parents[2] / "examples" / "track_across_cameras.py"

SIZE = (160, 80)
FIRST_IDENTITY = 10_000

DETAILS = (9_999, 10_005, 10_014)
"""The first identity of each group of three look-alikes."""


def people() -> Image.Image:
    """Return three people, a row each, under eight cameras."""
    return sheet(
        [
            [
                synthetic_person(FIRST_IDENTITY + person, camera, 1, image_size=SIZE)
                for camera in range(8)
            ]
            for person in range(3)
        ]
    )


def look_alikes() -> Image.Image:
    """Return three groups of three people who differ in a detail, under one camera."""
    row = [
        synthetic_person(first + member, 1, 2, image_size=SIZE, look_alikes=3, in_place_of=first)
        for first in DETAILS
        for member in range(3)
    ]
    return sheet([row], gaps=(3, 6))


def sheet(rows: list[list[np.ndarray]], gaps: tuple[int, ...] = ()) -> Image.Image:
    """Return images in rows, with white gaps before the columns in `gaps`."""
    lines = []
    for row in rows:
        parts = []
        for number, image in enumerate(row):
            if number in gaps:
                parts.append(np.full((len(image), 24, 3), 255, np.uint8))
            parts.append(image)
        lines.append(np.concatenate(parts, axis=1))
    return Image.fromarray(np.concatenate(lines))


def lists() -> Image.Image:
    """Return queries with their nearest images under another camera."""
    from keras_osnet.metrics import pairwise_distances
    from keras_osnet.visualize import plot_ranked_lists

    people, model = crowd(30, cameras=2), network("synthetic", head="embedding")
    vectors = model.predict(people.images, verbose=0)
    sides = (people.cameras == 0), (people.cameras == 1)
    query, gallery = (side.nonzero()[0] for side in sides)
    query = query[[0, 10, 18]]
    return as_image(
        plot_ranked_lists(
            people.images[query],
            people.images[gallery],
            pairwise_distances(vectors[query], vectors[gallery], metric="cosine"),
            people.identities[query],
            people.identities[gallery],
            top=7,
        )
    )


def maps() -> Image.Image:
    """Return activation maps of the feature maps after conv3."""
    from keras_osnet.visualize import activation_maps, feature_maps, plot_maps

    people, model = crowd(4, cameras=2), network("synthetic", head="embedding")
    some = people.images[::2][:6]
    return as_image(plot_maps(some, activation_maps(feature_maps(model, some, ["conv3"])["conv3"])))


def attributes() -> Image.Image:
    """Return the predicted attributes of four people."""
    from keras_osnet.visualize import plot_attributes

    people = crowd(12, cameras=2)
    model = network("synthetic_attributes", head="attribute", pooling="max")
    shown = slice(8, 24, 4)
    return as_image(
        plot_attributes(
            people.images[shown],
            model.predict(people.images[shown], verbose=0),
            people.attribute_names,
            people.attributes[shown],
        )
    )


def video() -> Image.Image:
    """Return three frames of the video of the tracking example, both cameras stacked."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(VIDEO), "--folder", folder], check=True)
        with Image.open(Path(folder) / "strip.png") as strip:
            return strip.convert("RGB")


def crowd(count: int, cameras: int) -> Any:
    """Return people the weights were not trained on, one image per camera."""
    from keras_osnet.synthetic import synthetic_people

    whom = range(FIRST_IDENTITY, FIRST_IDENTITY + count)
    return synthetic_people(whom, cameras=cameras, views=1, image_size=(128, 64))


def network(weights: str, **arguments: Any) -> Any:
    """Return a network with bundled weights."""
    import keras_osnet

    return keras_osnet.OSNet(0.25, weights=weights, include_preprocessing=True, **arguments)


def as_image(figure: Any) -> Image.Image:
    """Return a figure as an RGB image."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return Image.open(file).convert("RGB")


def as_jpeg(image: Image.Image) -> bytes:
    """Return an image encoded as JPEG."""
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=82, optimize=True)
    return file.getvalue()


FIXED = {function.__name__: function for function in (people, look_alikes)}
"""Images that are the same on every machine."""

COMPUTED = {function.__name__: function for function in (lists, maps, attributes, video)}

TRAINED = ("scales_on_people",)
"""Drawn by `tests/benchmarks/look_alikes.py --image`, which takes 45 minutes."""

SCREENSHOTS = ("browser", "cameras")
"""Taken by `tests/neighbours/measure_browser.py --image` and by `docs/site/draw_page.py`; both
need Chromium."""


def main() -> None:
    """Write the images of `FIXED` and `COMPUTED`."""
    for name, draw in {**FIXED, **COMPUTED}.items():
        encoded = as_jpeg(draw())
        with atomic_path(IMAGES / f"{name}.jpg") as temporary:
            temporary.write_bytes(encoded)


if __name__ == "__main__":
    main()
