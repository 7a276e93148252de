"""Reading and resizing images."""

import importlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size, path_of
from keras_osnet._utils.files import open_regular
from keras_osnet._utils.optional import require

_NAMED = 10
"""Maximum number of files that an error names."""

_UNSAFE = {"EPS", "MPEG"}
"""Formats that Pillow hands to another program, or recognizes without reading them."""

_USUAL = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")

_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""By EXIF orientation, the method of Pillow that turns an image upright."""

_START = 12
"""Bytes at the beginning of a file that tell what it is."""

_ORIENTATION = 0x0112
"""Number of that tag in EXIF."""

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

NEEDS_HEIC = 'HEIC needs a plug-in: pip install "keras-osnet[heic]"'


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


def read_image(
    path: str | os.PathLike[str], image_size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read an image as RGB, upright, resized the way the published weights were trained.

    Reads every format of Pillow's that needs no other program; HEIC with the extra
    `keras-osnet[heic]`. Pixels are those of torchreid, `Image.open(path).convert("RGB")` and
    torchvision's `Resize((height, width))`: bilinear with antialiasing, as Pillow's `resize`.
    Hence:

    - Gray becomes three equal channels; palettes are looked up; CMYK is converted by Pillow's
      formula, without color profiles.
    - Transparency is dropped, not blended with a background.
    - An animation or a file of several pages gives its first image.

    Two departures: an image is turned as its EXIF orientation says, where torchreid and torchvision
    take the pixels as they are stored, phones' photos lying on their side; and 16-bit gray is
    scaled to 8 bits by its high byte, where `convert` alone would turn nearly all of it white.

    Args:
        path: The file.
        image_size: (height, width) of the result; None keeps the image's own.

    Returns:
        Array (height, width, 3), uint8, 0–255.

    Raises:
        ImageReadError: The file is missing, not a regular file, not an image, truncated, of 32 bits
            per pixel and channel, or so large that Pillow takes it for a decompression bomb (more
            than `PIL.Image.MAX_IMAGE_PIXELS` pixels; nothing is decoded then).
        ValueError: `image_size` is not two positive integers.
        ImportError: Pillow is not installed.
    """
    if image_size is not None:
        check_image_size(image_size)
    with opened_image(path_of("path", path)) as image:
        return convert_image(image, image_size)


def check_image(path: Path, decode: bool) -> None:
    """Raise ImageReadError unless `read_image` can read a file, or without `decode` its beginning.

    A JPEG is decoded at an eighth of its size, which needs all of the file, too.
    """
    with opened_image(path) as image:
        if decode:
            image.draft("RGB", (1, 1))
            convert_image(image, (1, 1))


@contextmanager
def opened_image(path: Path) -> Iterator[Any]:
    """Yield a Pillow image of a file that is not decoded yet.

    Raises:
        ImageReadError: The file cannot be read, or the block that decodes it raises an error.
    """
    pillow = require_pillow()
    try:
        with open_regular(path) as file, _decoder(file, pillow) as image:
            yield image
    # Decoders raise errors of every kind for broken files (struct.error, SyntaxError, zlib's).
    except Exception as error:
        raise ImageReadError({path: _reason(error, pillow, lambda: _start(path))}) from error


def decode_image(content: bytes, image_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode the content of an image file as `read_image` reads a file.

    Args:
        content: All bytes of the file.
        image_size: (height, width) of the result; None keeps the image's own.

    Raises:
        ValueError: As `read_image` raises ImageReadError; the message is the reason alone.
        ImportError: Pillow is not installed.
    """
    pillow = require_pillow()
    try:
        with _decoder(io.BytesIO(content), pillow) as image:
            return convert_image(image, image_size)
    except Exception as error:
        raise ValueError(_reason(error, pillow, lambda: content[:_START])) from error


@contextmanager
def _decoder(file: BinaryIO, pillow: Any) -> Iterator[Any]:
    """Yield a Pillow image of an open file that is not decoded yet."""
    with pillow.open(file, formats=readable_formats()) as image:
        _check_pixel_count(image, pillow)
        yield image


def _start(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_START)


def convert_image(image: Any, image_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return the pixels of a Pillow image as `read_image` returns those of a file.

    Args:
        image: A `PIL.Image.Image`.
        image_size: (height, width) of the result; None keeps the image's own.

    Returns:
        Array (height, width, 3), uint8, 0–255.

    Raises:
        ValueError: The image has no pixel, or 32 bits per pixel and channel.
    """
    pillow = require_pillow()
    if 0 in image.size:
        raise ValueError(f"it is {image.width}x{image.height}, without a pixel")
    rgb = _as_rgb(_upright(image, pillow), pillow)
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
    # Channels in reverse order, as of a frame of OpenCV's, are copied one by one otherwise.
    mode, stored = ("BGR", image[:, :, ::-1]) if image.strides[2] < 0 else ("RGB", image)
    size = (image.shape[1], image.shape[0])
    given = pillow.frombytes("RGB", size, np.ascontiguousarray(stored), "raw", mode)
    return np.array(_resize(given, image_size, pillow))


def require_pillow() -> ModuleType:
    """Return the module `PIL.Image`; models and embedders take arrays and do not need it."""
    return require("PIL.Image", "Reading and writing images", "cli")


@cache
def readable_formats() -> tuple[str, ...]:
    """Return the names of the formats that `read_image` reads, as Pillow has them."""
    pillow = require_pillow()
    stub = importlib.import_module("PIL.ImageFile").StubImageFile
    for plug_in in ("pi_heif", "pillow_heif"):
        with suppress(ImportError):
            importlib.import_module(plug_in).register_heif_opener()
            break
    pillow.init()
    readable = [
        name
        for name, (factory, _) in tuple(pillow.OPEN.items())
        if name not in _UNSAFE and not (isinstance(factory, type) and issubclass(factory, stub))
    ]
    # Pillow tries them one after the other: the usual ones first.
    return tuple(sorted(readable, key=lambda name: name not in _USUAL))


@cache
def readable_suffixes() -> frozenset[str]:
    """Return the endings, in lower case, of the files that `read_image` reads."""
    formats = readable_formats()
    endings = require_pillow().registered_extensions()
    # Photos of several images, which are opened as JPEG.
    return frozenset(end for end, name in endings.items() if name in (*formats, "MPO"))


def is_pillow_image(value: Any) -> bool:
    """Return whether this is a Pillow image, without importing Pillow."""
    # Another thread may be importing it; then the class is not there yet, nor any image.
    image = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return image is not None and isinstance(value, image)


def check_pixels(image: NDArray) -> None:
    """Raise ValueError unless `image` is pixels: (height, width, 3), uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            "`image` must be pixels, uint8 of shape (height, width, 3); normalize after this step. "
            f"Received: {image.dtype} of shape {image.shape}"
        )


def _check_pixel_count(image: Any, pillow: Any) -> None:
    """Raise ValueError for a decompression bomb; Pillow raises above twice its limit only."""
    limit = pillow.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise ValueError(f"{image.width}x{image.height} is over {limit} pixels")


def _reason(error: Exception, pillow: Any, read_start: Callable[[], bytes]) -> str:
    """Return why a file cannot be read, without its path.

    Args:
        error: The error that reading it raised.
        pillow: The module `PIL.Image`.
        read_start: Returns the first `_START` bytes of the file.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, pillow.UnidentifiedImageError):
        start = read_start()
        if not start:
            return "the file is empty"
        if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS and "HEIF" not in pillow.OPEN:
            return NEEDS_HEIC
        return "it is of no image format that Pillow reads, or damaged"
    text = " ".join(str(error).partition(" Received: ")[0].split())
    return text.rstrip(".") or type(error).__name__


def _upright(image: Any, pillow: Any) -> Any:
    """Return a Pillow image turned as its EXIF orientation says."""
    image.load()  # a TIFF is turned by Pillow itself, which then has no orientation left
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # a damaged EXIF block does not make an image unreadable
        return image
    method = _TURNS.get(orientation)
    return image if method is None else image.transpose(getattr(pillow.Transpose, method))


def _resize(image: Any, image_size: tuple[int, int], pillow: Any) -> Any:
    """Return a Pillow image at a size; one that has it already is not copied, as Pillow does."""
    if image.size == (image_size[1], image_size[0]):
        return image
    return image.resize((image_size[1], image_size[0]), pillow.Resampling.BILINEAR)


def _as_rgb(image: Any, pillow: Any) -> Any:
    """Return a Pillow image in mode "RGB"; one in it already is not copied, as Pillow does."""
    if image.mode == "RGB":
        return image
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
