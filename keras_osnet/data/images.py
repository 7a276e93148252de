"""Images from disk or memory: finding files, and reading and resizing them."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size
from keras_osnet._utils.optional import require

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")

_ALONE = 4
"""Up to this many images are not worth starting threads for."""

_NAMED = 10
"""Maximum number of files that an error names."""

_CHUNK = 256
"""Images that are held at once where all that matters is whether they can be read."""


class ImageReadError(ValueError):
    """Some files cannot be read as images.

    Args:
        reasons: The reason for each of the files.

    Attributes:
        reasons: The same.
        paths: The files.
    """

    def __init__(self, reasons: Mapping[Path, str]) -> None:
        # The base class has it too, so that the error survives pickling between processes.
        super().__init__(reasons)
        self.reasons = dict(reasons)
        self.paths = tuple(reasons)

    @classmethod
    def join(cls, errors: Iterable["ImageReadError"]) -> "ImageReadError":
        """Return one error for the files of several."""
        return cls({path: reason for error in errors for path, reason in error.reasons.items()})

    def __str__(self) -> str:
        if len(self.paths) == 1:
            path = self.paths[0]
            return f"Cannot read the image: {self.reasons[path]}. Received: {path}"
        listed = [f"{path}: {reason}" for path, reason in self.reasons.items()]
        more = [f"and {len(listed) - _NAMED:,} more"] if len(listed) > _NAMED else []
        return f"Cannot read {len(listed):,} images. Received: {'; '.join(listed[:_NAMED] + more)}"


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


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """List all images in a folder and its subfolders, in the same order on every machine.

    An image is a file named .jpg, .jpeg, .png, .bmp, .webp or .ppm, in any case. Hidden files and
    folders (".thumbnails", the "._photo.jpg" that macOS leaves on other disks) are skipped. Links
    to files are followed, links to subfolders are not.

    Args:
        folder: The folder to search.

    Returns:
        Paths that begin with `folder`, sorted by the part after it.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: `folder` is a file.
        ValueError: There are no images in it.
    """
    root = Path(folder)
    if not root.exists():
        raise FileNotFoundError(f"`folder` does not exist. Received: {root}")
    if not root.is_dir():
        raise NotADirectoryError(f"`folder` must be a folder. Received: {root}")

    def fail(error: OSError) -> None:
        raise error  # os.walk would skip a subfolder that may not be read

    found = []
    for parent, subfolders, names in os.walk(root, onerror=fail):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        # Once per folder, as ImageNet has a million files.
        below = Path(parent).relative_to(root).as_posix()
        found += [
            (name if below == "." else f"{below}/{name}", Path(parent, name))
            for name in names
            if is_image_name(name)
        ]
    if not found:
        raise ValueError(f"`folder` holds no images ({', '.join(_SUFFIXES)}). Received: {root}")
    # As text, because paths themselves compare differently on Windows.
    return [path for _, path in sorted(found, key=lambda one: one[0])]


def is_image_name(name: str) -> bool:
    """Return whether `list_images` lists a file of this name."""
    return not name.startswith(".") and name.lower().endswith(_SUFFIXES)


def read_image(
    path: str | os.PathLike[str], image_size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read an image as RGB, resized the way the published weights were trained.

    Reads as torchreid does, by `Image.open(path).convert("RGB")` and torchvision's
    `Resize((height, width))`: bilinear with antialiasing, as Pillow's `resize`. Hence:

    - Gray becomes three equal channels; palettes are looked up; CMYK is converted by Pillow's
      formula, without color profiles.
    - Transparency is dropped, not blended with a background.
    - A camera's EXIF orientation is ignored: pixels come as they are stored.
    - An animation gives its first frame.

    One departure: 16-bit gray is scaled to 8 bits by its high byte, where `convert` alone would
    turn nearly all of it white.

    Args:
        path: The file.
        image_size: (height, width) of the result; None keeps the image's own.

    Returns:
        Array (height, width, 3), uint8, 0–255.

    Raises:
        ImageReadError: The file is missing, not an image, truncated, of 32 bits per pixel and
            channel, or so large that Pillow takes it for a decompression bomb (more than
            `PIL.Image.MAX_IMAGE_PIXELS` pixels; nothing is decoded then).
        ValueError: `image_size` is not two positive integers.
        ImportError: Pillow is not installed.
    """
    pillow = require_pillow()
    if image_size is not None:
        check_image_size(image_size)
    path = Path(path)
    try:
        with pillow.open(path) as image:
            # Pillow itself only warns above the limit, and raises above twice the limit.
            limit = pillow.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise ValueError(f"{image.width}x{image.height} is over {limit} pixels")
            return convert_image(image, image_size)
    # Decoders raise errors of every kind for broken files (struct.error, SyntaxError, zlib's).
    except Exception as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ImageReadError({path: reason or type(error).__name__}) from error


def convert_image(image: Any, image_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return the pixels of a Pillow image as `read_image` returns those of a file.

    Args:
        image: A `PIL.Image.Image`.
        image_size: (height, width) of the result; None keeps the image's own.

    Returns:
        Array (height, width, 3), uint8, 0–255.

    Raises:
        ValueError: The image has 32 bits per pixel and channel.
    """
    pillow = require_pillow()
    rgb = _as_rgb(image, pillow)
    return np.array(rgb if image_size is None else _resize(rgb, image_size, pillow))


def resize_image(image: NDArray[np.uint8], image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize pixels as `read_image` resizes a file.

    Args:
        image: Array (height, width, 3), uint8.
        image_size: (height, width) of the result.

    Returns:
        Array (*image_size, 3), uint8; `image` itself if it is of that size.

    Raises:
        ImportError: Pillow is not installed.
    """
    if image.shape[:2] == tuple(image_size):
        return image
    pillow = require_pillow()
    return np.array(_resize(pillow.fromarray(image), image_size, pillow))


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
    files = [Path(path) for path in paths]
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

    def fill(index: int) -> ImageReadError | None:
        try:
            images[index] = read(index)
        except ImageReadError as error:
            return error
        return None

    if count <= _ALONE:
        results = [fill(index) for index in range(count)]
    else:
        # Pillow releases the interpreter lock while it decodes and resizes.
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            results = list(pool.map(fill, range(count)))
    return images, {index: error for index, error in enumerate(results) if error is not None}


def find_unreadable(paths: Sequence[str | os.PathLike[str]]) -> dict[Path, str]:
    """Return the files that cannot be read, with the reason for each."""
    unreadable: dict[Path, str] = {}
    for start in range(0, len(paths), _CHUNK):
        unreadable |= load_images(paths[start : start + _CHUNK], (1, 1)).unreadable
    return unreadable


def require_pillow() -> ModuleType:
    """Return the module `PIL.Image`; models and embedders take arrays and do not need it."""
    return require("PIL.Image", "Reading and writing images", "cli")


def is_pillow_image(value: Any) -> bool:
    """Return whether this is a Pillow image, without importing Pillow."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def check_pixels(image: NDArray) -> None:
    """Raise ValueError unless `image` is pixels: (height, width, 3), uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            "`image` must be pixels, uint8 of shape (height, width, 3); normalize after this step. "
            f"Received: {image.dtype} of shape {image.shape}"
        )


def _resize(image: Any, image_size: tuple[int, int], pillow: Any) -> Any:
    """Return a Pillow image at another size."""
    return image.resize((image_size[1], image_size[0]), pillow.Resampling.BILINEAR)


def _as_rgb(image: Any, pillow: Any) -> Any:
    """Return a Pillow image in mode "RGB"."""
    if image.mode == "F":
        raise ValueError("images of floating-point numbers have no defined range")
    if image.mode.startswith("I"):  # "I;16" and similar; older Pillow uses "I" for 16 bits
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("gray of more than 16 bits has no defined range")
        image = pillow.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == "P":
        # Pillow warns that transparency would be lost, which is intended.
        image = image.copy()
        image.info.pop("transparency", None)
    return image.convert("RGB")
