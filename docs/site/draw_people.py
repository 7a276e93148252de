"""Draw the pictures of drawn people: `python docs/site/draw_people.py` writes docs/pictures/*.jpg.

Nobody of them is real, and nobody was in the training of the weights that come with the package,
which `lists`, `maps` and `attributes` are made with. `video` is the example's, which it runs.
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

PICTURES = Path(__file__).parents[1] / "pictures"
VIDEO = Path(__file__).parents[2] / "examples" / "track_across_cameras.py"

SIZE = (160, 80)
FIRST_IDENTITY = 10_000

DETAILS = (9_999, 10_005, 10_014)
"""The first of three look-alikes each."""


def people() -> Image.Image:
    """Three people, a row each, under eight cameras."""
    return sheet(
        [
            [synthetic_person(FIRST_IDENTITY + person, camera, 1, size=SIZE) for camera in range(8)]
            for person in range(3)
        ]
    )


def look_alikes() -> Image.Image:
    """Three groups of three people who differ in a small thing, side by side under one camera."""
    row = [
        synthetic_person(first + member, 1, 2, size=SIZE, look_alikes=3, in_place_of=first)
        for first in DETAILS
        for member in range(3)
    ]
    return sheet([row], gaps=(3, 6))


def sheet(rows: list[list[np.ndarray]], gaps: tuple[int, ...] = ()) -> Image.Image:
    """Put pictures side by side in rows, with white gaps before those of these numbers."""
    lines = []
    for row in rows:
        parts = []
        for number, picture in enumerate(row):
            if number in gaps:
                parts.append(np.full((len(picture), 24, 3), 255, np.uint8))
            parts.append(picture)
        lines.append(np.concatenate(parts, axis=1))
    return Image.fromarray(np.concatenate(lines))


def lists() -> Image.Image:
    """Queries, and what the weights find for them under another camera."""
    from keras_osnet.metrics import pairwise_distances
    from keras_osnet.visualize import plot_ranked_lists

    drawn, model = crowd(30, cameras=2), network("synthetic", head="embedding")
    vectors = model.predict(drawn.images, verbose=0)
    sides = (drawn.cameras == 0), (drawn.cameras == 1)
    query, gallery = (side.nonzero()[0] for side in sides)
    query = query[[0, 10, 18]]
    return as_image(
        plot_ranked_lists(
            drawn.images[query],
            drawn.images[gallery],
            pairwise_distances(vectors[query], vectors[gallery], metric="cosine"),
            drawn.identities[query],
            drawn.identities[gallery],
            top=7,
        )
    )


def maps() -> Image.Image:
    """Where the maps after conv3 are active."""
    from keras_osnet.visualize import activation_maps, intermediates, plot_maps

    drawn, model = crowd(4, cameras=2), network("synthetic", head="embedding")
    some = drawn.images[::2][:6]
    return as_image(
        plot_maps(some, activation_maps(intermediates(model, some, ["conv3"])["conv3"]))
    )


def attributes() -> Image.Image:
    """What the weights for attributes see in four people."""
    from keras_osnet.visualize import plot_attributes

    drawn = crowd(12, cameras=2)
    model = network("synthetic_attributes", head="attribute", pooling="max")
    shown = slice(8, 24, 4)
    return as_image(
        plot_attributes(
            drawn.images[shown],
            model.predict(drawn.images[shown], verbose=0),
            drawn.attribute_names,
            drawn.attributes[shown],
        )
    )


def video() -> Image.Image:
    """Three moments of the video of the example, both cameras one above the other."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(VIDEO), "--folder", folder], check=True)
        with Image.open(Path(folder) / "strip.png") as strip:
            return strip.convert("RGB")


def crowd(count: int, cameras: int) -> Any:
    """Draw people whom the weights were not trained on, a picture under each camera."""
    from keras_osnet.synthetic import synthetic_people

    whom = range(FIRST_IDENTITY, FIRST_IDENTITY + count)
    return synthetic_people(whom, cameras=cameras, views=1, size=(128, 64))


def network(weights: str, **arguments: Any) -> Any:
    """Return a network with the weights that come with the package."""
    import keras_osnet

    return keras_osnet.OSNet(0.25, weights=weights, include_preprocessing=True, **arguments)


def as_image(figure: Any) -> Image.Image:
    """Return a figure as a picture for a page."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return Image.open(file).convert("RGB")


def as_jpeg(picture: Image.Image) -> bytes:
    """Return the file of a picture."""
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=82, optimize=True)
    return file.getvalue()


DRAWN = {function.__name__: function for function in (people, look_alikes)}
"""What is the same on every machine."""

COMPUTED = {function.__name__: function for function in (lists, maps, attributes, video)}

TRAINED = ("scales_on_people",)
"""What `tests/benchmarks/look_alikes.py --picture` draws, after three quarters of an hour."""


def main() -> None:
    """Write all pictures but those of `TRAINED`."""
    for name, draw in {**DRAWN, **COMPUTED}.items():
        encoded = as_jpeg(draw())
        with atomic_path(PICTURES / f"{name}.jpg") as temporary:
            temporary.write_bytes(encoded)


if __name__ == "__main__":
    main()
