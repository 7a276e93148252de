"""Synthetic people as files: a folder named like Market-1501, with tables of labels."""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from keras_osnet import __version__
from keras_osnet._utils.checks import path_of
from keras_osnet._utils.files import atomic_path, sweep_temporaries
from keras_osnet.data.images import require_pillow
from keras_osnet.data.records import PersonImage
from keras_osnet.synthetic.appearance import ATTRIBUTE_NAMES, details
from keras_osnet.synthetic.people import (
    attributes_of,
    chosen_identities,
    detail_mask,
    image_labels,
    synthetic_person,
)

_RECORD = "synthetic_people.json"
_TEST_SHARE = 0.2


def write_synthetic_people(
    folder: str | os.PathLike[str],
    identities: int | Sequence[int],
    cameras: int = 2,
    views: int = 4,
    *,
    image_size: tuple[int, int] = (256, 128),
    seed: int = 0,
    look_alikes: int = 1,
) -> list[PersonImage]:
    """Draw a dataset of synthetic people into a folder, with files named like Market-1501's.

    Names count from 1, because identity 0000 marks Market-1501's distractors: identity 6 under
    camera 0, view 3, is `0007_c1s1_000004_00.png`. Files are written whole or not at all, and an
    interrupted run is completed by the same call. Beside the images there are:

    - `synthetic_people.json`: the arguments.
    - `attributes.csv`: the attributes of `SyntheticPeople`, for `attributes_from_table` and
      `keras-osnet train attributes`; in column `split` the last fifth of the people is for testing.
    - `details.csv`, with look-alikes only: for each image the details in which its person differs
      (`print+hat`) and their bounding box, `top,left,bottom,right` in pixels, bottom and right
      excluded; empty if they are hidden.

    Args:
        folder: The folder to write to; created if it does not exist.
        identities: The number of people, from identity 0 on; or the identities.
        cameras: Number of cameras; everybody is seen under each.
        views: Number of images of each person under each camera.
        image_size: (height, width) of the images.
        seed: Seed of all people and cameras, from 0.
        look_alikes: Number of consecutive identities that are look-alikes; see `synthetic_people`.

    Returns:
        The images as `read_folder` lists them.

    Raises:
        FileExistsError: The folder holds anything but the beginning of the same dataset.
        ValueError: As for `synthetic_people`.
        ImportError: Pillow is not installed.

    Example:
        >>> from keras_osnet.data import attributes_from_table
        >>> folder = getfixture("tmp_path") / "synthetic"
        >>> images = write_synthetic_people(folder, 5, cameras=2, views=1, image_size=(32, 16))
        >>> counts = attributes_from_table(folder / "attributes.csv").counts
        >>> counts["attributes"], counts["train_images"], counts["test_images"]
        (26, 8, 2)
    """
    pillow = require_pillow()
    labels = list(image_labels(identities, cameras, views, image_size, seed, look_alikes))
    root = path_of("folder", folder)
    root.mkdir(parents=True, exist_ok=True)
    _claim(
        root,
        {
            "keras_osnet": __version__,
            "identities": list(chosen_identities(identities)),
            "cameras": int(cameras),
            "views": int(views),
            "image_size": [int(side) for side in image_size],
            "seed": int(seed),
            "look_alikes": int(look_alikes),
        },
    )
    written = []
    for identity, camera, view in labels:
        path = root / f"{identity + 1:04d}_c{camera + 1}s1_{view + 1:06d}_00.png"
        if not path.exists():
            image = synthetic_person(
                identity, camera, view, image_size=image_size, seed=seed, look_alikes=look_alikes
            )
            with atomic_path(path) as unfinished:
                pillow.fromarray(image).save(unfinished, format="PNG")
        written.append(PersonImage(path, identity + 1, camera + 1))

    rest = image_size, seed, look_alikes
    people = sorted({label[0] for label in labels})
    tested = set(people[len(people) - int(_TEST_SHARE * len(people)) :])
    _write_table(
        root / "attributes.csv",
        ("path", "identity", "camera", "split", *ATTRIBUTE_NAMES),
        (
            (
                image.path.name,
                image.identity,
                image.camera,
                "test" if label[0] in tested else "train",
                *attributes_of(*label, *rest),
            )
            for image, label in zip(written, labels, strict=True)
        ),
    )
    if look_alikes > 1:
        _write_table(
            root / "details.csv",
            ("path", "details", "top", "left", "bottom", "right"),
            (
                (
                    image.path.name,
                    "+".join(details(seed, label[0], look_alikes)),
                    *_box(detail_mask(*label, *rest)),
                )
                for image, label in zip(written, labels, strict=True)
            ),
        )
    return written


def _claim(root: Path, arguments: dict[str, object]) -> None:
    """Record the arguments in an empty folder, or check that a folder has the same ones."""
    record = json.dumps(arguments)
    sweep_temporaries(root)
    if not (root / _RECORD).exists():
        if any(root.iterdir()):
            raise FileExistsError(f"`folder` must be empty or not exist yet. Received: {root}")
        with atomic_path(root / _RECORD) as unfinished:
            unfinished.write_text(record + "\n", encoding="utf-8")
    elif (root / _RECORD).read_text(encoding="utf-8").strip() != record:
        raise FileExistsError(
            f"`folder` holds synthetic people with other arguments, see {_RECORD}. Received: {root}"
        )


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file unless it exists."""
    if path.exists():
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    with atomic_path(path) as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8")


def _box(mask: np.ndarray) -> tuple[object, ...]:
    """Return top, left, bottom and right of a mask; empty strings if it is all False."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return ("", "", "", "")
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
