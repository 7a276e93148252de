"""Reading many images at one size, from files or from an array, in threads."""

import os
import reprlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size, path_of
from keras_osnet.data.images import (
    ImageReadError,
    check_image,
    read_image,
    readable_formats,
    require_pillow,
    resize_image,
)

_ALONE = 4
"""Up to this many images are not worth starting threads for."""

_CHUNK = 1024
"""Files submitted to the threads at once: a million futures would take more memory."""

_readable: set[int] = set()
"""Hashes of the files that were readable, with size and time of their last change."""

Images = Sequence[str | os.PathLike[str]] | NDArray[np.uint8]
"""Files; or pixels, array (n, height, width, 3), uint8, RGB."""


@dataclass(frozen=True, eq=False)
class LoadedImages:
    """The readable images of a chunk of files.

    Attributes:
        images: Array (n, height, width, 3), uint8, RGB.
        paths: The n files that the images come from, in the same order.
        unreadable: The other files, with the reason for each.
    """

    images: NDArray[np.uint8]
    paths: list[Path]
    unreadable: dict[Path, str]


def load_images(
    paths: Sequence[str | os.PathLike[str]], image_size: tuple[int, int]
) -> LoadedImages:
    """Read a chunk of images at one size, in threads, leaving out those that cannot be read.

    The images are held in memory at once: pass as many paths as make a batch.

    Args:
        paths: The files.
        image_size: (height, width) that all are resized to; see `read_image`.

    Returns:
        A `LoadedImages`, its images in the order of `paths`.

    Raises:
        ValueError: `image_size` is not two positive integers.
        ImportError: Pillow is not installed.
    """
    require_pillow()
    check_image_size(image_size)
    files = [path_of("paths", path) for path in paths]
    images, errors = read_together(
        len(files), image_size, lambda index: read_image(files[index], image_size)
    )
    return LoadedImages(
        images=np.delete(images, list(errors), axis=0) if errors else images,
        paths=[file for index, file in enumerate(files) if index not in errors],
        unreadable=ImageReadError.join(errors.values()).reasons,
    )


def read_together(
    count: int, image_size: tuple[int, int], read: Callable[[int], NDArray[np.uint8]]
) -> tuple[NDArray[np.uint8], dict[int, ImageReadError]]:
    """Read images of one size in threads.

    Args:
        count: Number of images.
        image_size: Their (height, width).
        read: Function from the index of an image to an array (*image_size, 3).

    Returns:
        Array (count, *image_size, 3), black where `read` raised ImageReadError, and these errors
        by index.
    """
    images = np.zeros((count, *image_size, 3), np.uint8)
    errors: dict[int, ImageReadError] = {}
    stopped = Event()

    def fill(indices: range) -> None:
        for index in indices:
            if stopped.is_set():
                return
            try:
                images[index] = read(index)
            except ImageReadError as error:
                errors[index] = error
            except BaseException:
                stopped.set()
                raise

    if count <= _ALONE:
        fill(range(count))
    else:
        # Before the threads: one must not see modules that another is importing.
        with suppress(ImportError):  # arrays of this size need no Pillow
            readable_formats()
        # Pillow releases the interpreter lock while it decodes and resizes. A task for each thread,
        # not for each image, saves a quarter of the time of small JPEG files.
        threads = min(os.cpu_count() or 1, count)
        with ThreadPoolExecutor(max_workers=threads) as pool:
            try:
                list(pool.map(fill, (range(first, count, threads) for first in range(threads))))
            finally:
                stopped.set()  # after Ctrl-C, the pool waits for the images that are being read
    return images, dict(sorted(errors.items()))


def find_unreadable(
    paths: Sequence[str | os.PathLike[str]], *, decode: bool = True
) -> dict[Path, str]:
    """Return the files that cannot be read, with the reason for each.

    Args:
        paths: The files. One that was readable before in this process, and has not changed since,
            is not read again.
        decode: Whether to decode the images, JPEG at an eighth of the size, or only to read the
            beginnings of the files.
    """
    require_pillow()
    files = [path_of("paths", path) for path in paths]

    def check(path: Path) -> ImageReadError | None:
        try:
            status = path.stat()
            state = hash((path, status.st_size, status.st_mtime_ns, decode))
            if state not in _readable:
                check_image(path, decode)
                _readable.add(state)
        except ImageReadError as error:
            return error
        except (OSError, ValueError) as error:
            return ImageReadError({path: getattr(error, "strerror", None) or str(error)})
        return None

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        errors = [
            error
            for start in range(0, len(files), _CHUNK)
            for error in pool.map(check, files[start : start + _CHUNK])
            if error is not None
        ]
    return ImageReadError.join(errors).reasons


class ImageSource:
    """Images of one size that are read one by one, from files or from an array.

    An array is not copied. Arrays that are views of it, or kept, are read-only: whoever wrote to
    one would change later results.

    Args:
        images: The files, or the array.
        image_size: (height, width) that images are resized to; None, for arrays only, is their own.
        keep: Whether to keep images that were read or resized.

    Attributes:
        images: Paths, or the array.
        image_size: (height, width).

    Raises:
        ValueError: `images` is neither, or `image_size` is not two positive integers.
    """

    def __init__(
        self, images: Images, image_size: tuple[int, int] | None = None, keep: bool = False
    ) -> None:
        self.images = _checked_images(images)
        if image_size is None:
            if isinstance(self.images, tuple):
                raise ValueError(
                    "`image_size` must be (height, width) where `images` are files. Received: None"
                )
            image_size = self.images.shape[1:3]
        check_image_size(image_size)
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self._kept: dict[int, NDArray[np.uint8]] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return an image, array (*image_size, 3), uint8.

        Raises:
            ImageReadError: Its file cannot be read.
            ImportError: A file is to be read, or an array to be resized, without Pillow.
        """
        if not isinstance(self.images, tuple) and self.image_size == self.images.shape[1:3]:
            return self.images[index]
        if self._kept is None:
            return self._load(index)
        if index not in self._kept:
            image = self._load(index)
            image.flags.writeable = False
            self._kept[index] = image
        return self._kept[index]

    def _load(self, index: int) -> NDArray[np.uint8]:
        if isinstance(self.images, tuple):
            return read_image(self.images[index], self.image_size)
        return resize_image(self.images[index], self.image_size)


def _checked_images(images: Images) -> tuple[Path, ...] | NDArray[np.uint8]:
    """Return paths, or a read-only view of an array."""
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OU":
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(
                "`images` must be paths, or pixels: uint8 of shape (n, height, width, 3). "
                f"Received: {images.dtype} of shape {images.shape}"
            )
        pixels = images.view()
        pixels.flags.writeable = False
        return pixels
    try:
        if isinstance(images, str):  # a single path would be iterated letter by letter
            raise TypeError
        return tuple(path if isinstance(path, Path) else Path(path) for path in images)
    except TypeError:
        raise ValueError(
            "`images` must be paths, or pixels: a numpy array of uint8. "
            f"Received: {reprlib.repr(images)}"
        ) from None
