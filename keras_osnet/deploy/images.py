"""The images that an exported file is calibrated with and compared on."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.images import ImageReadError, resize_image
from keras_osnet.data.list_images import list_images
from keras_osnet.data.load_images import load_images
from keras_osnet.data.readable import readable
from keras_osnet.data.records import ReidDataset
from keras_osnet.data.sampling import evenly_spaced
from keras_osnet.synthetic.people import synthetic_people

_MOST_READ = 1000
"""Images of a folder, list or array that are read; of more, this many evenly chosen."""

_MOST_COMPARED = 256
"""Images without identities that are compared; more do not change the result."""

_CHUNK = 256

_SYNTHETIC_PEOPLE = 8

_FEWEST = 8
"""With fewer calibration images, ranges and biases would fit only these."""

_ADVISED = 64
"""With fewer, the worst images are noticeably worse (see `tests/benchmarks/int8.py`)."""


def read_images(
    name: str, given: Any, image_size: tuple[int, int], most: int = _MOST_READ
) -> NDArray[np.uint8]:
    """Read images at one size, as they are read in training and evaluation.

    Args:
        name: The argument's name, for errors.
        given: A folder, a list of files, or an array (n, height, width, 3), uint8, RGB.
        image_size: (height, width) of the result.
        most: Of more images than this, as many are chosen at even distances.

    Returns:
        Array (n, *image_size, 3), uint8.

    Raises:
        ValueError: `given` is of another kind, or has no image that can be read.
        FileNotFoundError: There is no such folder.
        ImportError: Pillow is not installed.
    """
    if isinstance(given, np.ndarray):
        if given.ndim != 4 or given.shape[-1] != 3 or given.dtype != np.uint8 or not len(given):
            raise ValueError(
                f"`{name}` as an array must be (n, height, width, 3) of uint8, RGB, with n of at "
                f"least 1. Received: shape {given.shape}, {given.dtype}"
            )
        chosen = given[evenly_spaced(len(given), most)]
        return np.stack([resize_image(each, image_size) for each in chosen])
    if isinstance(given, str | os.PathLike):
        given = list_images(given)
    is_list = isinstance(given, Sequence) and len(given) > 0
    if not is_list or not all(isinstance(each, str | os.PathLike) for each in given):
        raise ValueError(
            f"`{name}` must be a folder, a list of image files, or an array. "
            f"Received: {given!r:.200}"
        )
    loaded = load_images([given[index] for index in evenly_spaced(len(given), most)], image_size)
    if loaded.unreadable:
        message = f"`{name}`: {ImageReadError(loaded.unreadable)}"
        if not loaded.paths:
            raise ValueError(message)
        warn_user(message)
    return loaded.images


def synthetic_images(image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw people, (n, *image_size, 3), to compare on where no real images were given."""
    return synthetic_people(_SYNTHETIC_PEOPLE, views=1, image_size=image_size).images


def calibration_images(given: Any, image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the argument `calibration`, check it and warn if there are few images.

    Raises:
        ValueError: There are none, or too few.
    """
    if given is None:
        raise ValueError(
            '`quantization="int8"` needs `calibration`: images like those that the model will '
            "see, a folder, a list of files or an array. Received: calibration=None"
        )
    images = read_images("calibration", given, image_size)
    check_count("calibration", len(images))
    return images


def comparison_images(given: Any, image_size: tuple[int, int]) -> NDArray[np.uint8] | ReidDataset:
    """Return a dataset as it is, other images as an array (n, *image_size, 3), people for None.

    Raises:
        ValueError: `given` are not images, or a dataset without query or gallery.
    """
    if given is None:
        return synthetic_images(image_size)
    if not isinstance(given, ReidDataset):
        return read_images("images", given, image_size, _MOST_COMPARED)
    if not given.query or not given.gallery:
        raise ValueError(
            "`images` with identities must have a query and a gallery. "
            f"Received: {given.name} with {len(given.query)} queries, {len(given.gallery)} others"
        )
    return readable(replace(given, train=(), validation=()))


def count_shared(
    calibration: Any,
    calibrated: NDArray[np.uint8],
    images: Any,
    compared: NDArray[np.uint8] | ReidDataset,
) -> int:
    """Return how many images of the comparison are calibration images as well, and warn of them.

    The results would be better than those on new images. The same file counts wherever its path
    leads, and so do other files and arrays with the same pixels.

    Args:
        calibration: The argument of `export`.
        calibrated: The images that were read from it.
        images: The argument of `export`.
        compared: The images or the dataset that `comparison_images` made of it.

    Raises:
        ValueError: All of `images` are calibration images.
    """
    known = {each.tobytes() for each in calibrated}
    if isinstance(compared, ReidDataset):
        files = _files_of(compared)
        parts = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
        chunks = (load_images(part, calibrated.shape[1:3]).images for part in parts)
        found = [each.tobytes() in known for chunk in chunks for each in chunk]
    else:
        files = _files_of(images)
        found = [each.tobytes() in known for each in compared]
    known_files = set(_inodes(_files_of(calibration)))
    found_files = [each in known_files for each in _inodes(files)]
    shared, total = max(
        ((sum(each), len(each)) for each in (found, found_files) if each),
        key=lambda counts: counts[0] / counts[1],
    )
    if shared == total:
        raise ValueError(
            "`images` must be others than those of `calibration`, because a file loses less on the "
            "images that it was calibrated with than on new ones. "
            f"Received: {total} images, all of which are in `calibration`"
        )
    if shared:
        warn_user(
            f"{shared} of the {total} images of the comparison are calibration images as well; on "
            "new images, the file loses more."
        )
    return shared


def _files_of(images: Any) -> list[str | os.PathLike[str]]:
    """Return the files of an argument that may be a folder, a list, a dataset or an array."""
    if isinstance(images, ReidDataset):
        return list(dict.fromkeys(each.path for each in (*images.query, *images.gallery)))
    if isinstance(images, np.ndarray):
        return []
    return list(list_images(images) if isinstance(images, str | os.PathLike) else images)


def _inodes(files: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[int, int]]:
    """Yield what identifies a file on this machine, whatever path leads to it."""
    for file in files:
        with suppress(OSError):
            status = Path(file).stat()
            yield status.st_dev, status.st_ino


def check_count(name: str, count: int) -> None:
    """Raise ValueError for too few images, and warn about few.

    Args:
        name: Name of the argument, for the message.
        count: Number of images.

    Raises:
        ValueError: There are fewer than `_FEWEST`.
    """
    if count < _FEWEST:
        raise ValueError(
            f"`{name}` must hold at least {_FEWEST} images, because fewer do not show the ranges "
            f"of others; {_ADVISED} or more are better. Received: {count}"
        )
    if count < _ADVISED:
        warn_user(f"int8 is calibrated on {count} images; {_ADVISED} or more are better.")
