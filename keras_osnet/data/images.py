"""Pictures from disk: finding them, reading one, reading a chunk of them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size
from keras_osnet.data._pillow import require_pillow

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")

_NAMED = 10
"""Files that an error names; of more it gives the number."""


class ImageReadError(ValueError):
    """Some files cannot be read as images.

    Args:
        reasons: For each of the files, what is wrong with it.

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
            return (
                f"Cannot read the image: {self.reasons[self.paths[0]]}. Received: {self.paths[0]}"
            )
        listed = [f"{path}: {reason}" for path, reason in self.reasons.items()]
        more = [f"and {len(listed) - _NAMED:,} more"] if len(listed) > _NAMED else []
        return f"Cannot read {len(listed):,} images. Received: {'; '.join(listed[:_NAMED] + more)}"


@dataclass(frozen=True, eq=False)
class LoadedImages:
    """The readable ones of a chunk of pictures, and those that are not.

    Attributes:
        images: Array (n, height, width, 3), uint8, RGB.
        paths: The n files that the images come from, in the same order.
        unreadable: The other files, with what is wrong with each.
    """

    images: NDArray[np.uint8]
    paths: list[Path]
    unreadable: dict[Path, str]


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """All pictures in a folder and its subfolders, in the same order on every machine.

    A picture is a file named .jpg, .jpeg, .png, .bmp, .webp or .ppm, in capitals or not. Hidden
    files and folders (".thumbnails", the "._photo.jpg" that macOS leaves on other disks) are
    left out. Links to files are followed, links to subfolders are not.

    Args:
        folder: The folder to look in.

    Returns:
        Paths that begin with `folder`, sorted by the part after it.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If `folder` is a file.
        ValueError: If there are no pictures in it.
    """
    root = Path(folder)
    if not root.exists():
        raise FileNotFoundError(f"`folder` does not exist. Received: {root}")
    if not root.is_dir():
        raise NotADirectoryError(f"`folder` must be a folder. Received: {root}")

    def fail(error: OSError) -> None:
        raise error  # os.walk would pass over a subfolder that may not be read

    found = []
    for parent, subfolders, names in os.walk(root, onerror=fail):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        # Once a folder, as ImageNet has a million files.
        below = Path(parent).relative_to(root).as_posix()
        found += [
            (name if below == "." else f"{below}/{name}", Path(parent, name))
            for name in names
            if is_picture(name)
        ]
    if not found:
        raise ValueError(f"`folder` holds no pictures ({', '.join(_SUFFIXES)}). Received: {root}")
    # As text, because paths themselves compare differently on Windows.
    return [path for _, path in sorted(found, key=lambda one: one[0])]


def is_picture(name: str) -> bool:
    """Whether a file of this name is one that `list_images` lists."""
    return not name.startswith(".") and name.lower().endswith(_SUFFIXES)


def read_image(
    path: str | os.PathLike[str], image_size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read a picture as RGB, resized the way the published weights were trained.

    Does what torchreid does, `Image.open(path).convert("RGB")` and torchvision's
    `Resize((height, width))`: bilinear with antialiasing, as Pillow's `resize` has it. Hence:

    - Grey becomes three equal channels; palettes are looked up; CMYK is converted by Pillow's
      formula, without colour profiles.
    - Transparency is dropped, not blended with a background.
    - A camera's EXIF orientation is ignored: pixels come as they are stored.
    - Of an animation, the first frame.

    One departure: 16-bit grey is scaled to 8 bits by its high byte, where `convert` alone would
    turn nearly all of it white.

    Args:
        path: The file.
        image_size: (height, width) of the result; None keeps the picture's own.

    Returns:
        Array (height, width, 3), uint8, 0..255.

    Raises:
        ImageReadError: If the file is missing, not a picture, truncated, of 32 bits a
            pixel and channel, or so large that Pillow takes it for a decompression bomb (more
            than `PIL.Image.MAX_IMAGE_PIXELS` pixels; nothing is decoded then).
        ValueError: If `image_size` is not two positive integers.
        ImportError: If Pillow is not installed.
    """
    pillow = require_pillow()
    if image_size is not None:
        check_image_size(image_size)
    path = Path(path)
    try:
        with pillow.open(path) as picture:
            # Pillow itself refuses at twice the limit and only warns from here on.
            limit = pillow.MAX_IMAGE_PIXELS
            if limit is not None and picture.width * picture.height > limit:
                raise ValueError(f"{picture.width}x{picture.height} is over {limit} pixels")
            return convert_image(picture, image_size)
    # Decoders meet broken files with errors of every kind (struct.error, SyntaxError, zlib's).
    except Exception as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ImageReadError({path: reason or type(error).__name__}) from error


def convert_image(picture: Any, image_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return the pixels of a picture of Pillow's as `read_image` returns those of a file.

    Args:
        picture: A `PIL.Image.Image`.
        image_size: (height, width) of the result; None keeps the picture's own.

    Returns:
        Array (height, width, 3), uint8, 0..255.

    Raises:
        ValueError: If it is of 32 bits a pixel and channel.
    """
    pillow = require_pillow()
    rgb = _as_rgb(picture, pillow)
    return np.array(rgb if image_size is None else _resize(rgb, image_size, pillow))


def resize_image(image: NDArray[np.uint8], image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize pixels as `read_image` resizes a file.

    Args:
        image: Array (height, width, 3), uint8.
        image_size: (height, width) of the result.

    Returns:
        Array (*image_size, 3), uint8; `image` itself if it is of that size.

    Raises:
        ImportError: If Pillow is not installed.
    """
    if image.shape[:2] == tuple(image_size):
        return image
    pillow = require_pillow()
    return np.array(_resize(pillow.fromarray(image), image_size, pillow))


def load_images(
    paths: Sequence[str | os.PathLike[str]], image_size: tuple[int, int]
) -> LoadedImages:
    """Read a chunk of pictures at one size, in threads; a broken file does not stop the rest.

    The images are held in memory at once: pass as many paths as make a batch.

    Args:
        paths: The files.
        image_size: (height, width) that all are resized to; see `read_image`.

    Returns:
        A `LoadedImages`, its images in the order of `paths`.

    Raises:
        ValueError: If `image_size` is not two positive integers.
        ImportError: If Pillow is not installed.
    """
    require_pillow()
    check_image_size(image_size)
    files = [Path(path) for path in paths]
    images = np.empty((len(files), *image_size, 3), np.uint8)

    def read(index: int) -> ImageReadError | None:
        try:
            images[index] = read_image(files[index], image_size)
        except ImageReadError as error:
            return error
        return None

    # Pillow lets go of the interpreter lock while it decodes and resizes.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        errors = list(pool.map(read, range(len(files))))
    readable = np.array([error is None for error in errors], bool)
    return LoadedImages(
        images=images if readable.all() else images[readable],
        paths=[file for file, error in zip(files, errors, strict=True) if error is None],
        unreadable=ImageReadError.join(error for error in errors if error is not None).reasons,
    )


def _resize(picture: Any, image_size: tuple[int, int], pillow: Any) -> Any:
    """A Pillow image at another size."""
    return picture.resize((image_size[1], image_size[0]), pillow.Resampling.BILINEAR)


def _as_rgb(picture: Any, pillow: Any) -> Any:
    """A Pillow image in mode "RGB"."""
    if picture.mode == "F":
        raise ValueError("pictures of floating-point numbers have no defined range")
    if picture.mode.startswith("I"):  # "I;16" and its like; older Pillow gives "I" for 16 bits
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("grey of more than 16 bits has no defined range")
        picture = pillow.fromarray((values >> 8).astype(np.uint8))
    elif picture.mode == "P":
        # Pillow warns that transparency would be lost, which is what is wanted.
        picture = picture.copy()
        picture.info.pop("transparency", None)
    return picture.convert("RGB")
