"""CUHK01 and CUHK02. The people of the one are in the other, so the two are not to be mixed."""

import re
from pathlib import Path

from keras_osnet.data.datasets.layout import find_root, match_name
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.datasets.viper import two_view_split
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage

_CUHK01_NAME = re.compile(r"(\d{4})(\d{3})\.")
_CUHK02_NAME = re.compile(r"(\d+)_")

_TEST_PAIR = 5

_PAIR_STEP = 10_000
"""CUHK02 counts the people of each pair of cameras anew: person 17 of P2 becomes 20017."""


def read_cuhk01(folder: Path, version: str, split: int) -> ReidDataset:
    """Read CUHK01; half of the people, chosen at random for each split, are to train on.

    Pictures 1 and 2 of a person are of one camera, 3 and 4 of the other; version "a-to-b" looks
    for the former among the latter, "b-to-a" the other way round.
    """
    root = find_root(folder, "cuhk01", ("campus",))
    images = []
    for path in list_images(root / "campus"):
        match = match_name(path, _CUHK01_NAME, "0001001.png")
        images.append(PersonImage(path, int(match[1]), (int(match[2]) + 1) // 2))
    return two_view_split("cuhk01", images, version, split)


def read_cuhk02(folder: Path, version: str) -> ReidDataset:
    """Read CUHK02: camera pairs P1 to P4 to train on, P5 to test on, from its first camera."""
    views = [(pair, view) for pair in range(1, _TEST_PAIR + 1) for view in (1, 2)]
    root = find_root(folder, "cuhk02", [f"P{pair}/cam{view}" for pair, view in views])
    images = {
        (pair, view): tuple(
            PersonImage(
                path,
                identity=pair * _PAIR_STEP + int(match_name(path, _CUHK02_NAME, "001_01.png")[1]),
                camera=2 * (pair - 1) + view,
            )
            for path in list_images(root / f"P{pair}/cam{view}")
        )
        for pair, view in views
    }
    return ReidDataset(
        name="cuhk02",
        train=tuple(
            image for pair, view in views if pair != _TEST_PAIR for image in images[pair, view]
        ),
        query=images[_TEST_PAIR, 1],
        gallery=images[_TEST_PAIR, 2],
        version=version,
    )
