"""Chunks of crops: what the inputs of bulk embedding give, and the decoding of it."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from keras_osnet.bulk.selection import Selection
from keras_osnet.data.images import (
    ImageReadError,
    decode_image,
    read_image,
    readable_formats,
    resize_image,
)
from keras_osnet.runtime.boxes import cut_out

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 32
"""Crops that are decoded and embedded at once."""


@dataclass(frozen=True)
class Unreadable:
    """Stands for an image that cannot be had.

    Attributes:
        reason: Why.
    """

    reason: str


Image = Path | bytes | NDArray[np.uint8] | Unreadable
"""A file; the content of one; pixels (height, width, 3), RGB; or none."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the image."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some crops that are to be embedded.

    Attributes:
        keys: Names of the crops, unique in the input.
        images: The images that the crops are in.
        boxes: Where in its image each crop is; None for all of it.
        columns: Record batch with the columns of the output besides key, vector and model.
        position: Share of the input that was read when this chunk was complete, 0–1.
    """

    keys: Sequence[str]
    images: Sequence[Image]
    boxes: Sequence[Box | None]
    columns: "pa.RecordBatch"
    position: float


class Source(Protocol):
    """An input of bulk embedding."""

    schema: "pa.Schema"
    """Of the columns of its chunks."""

    def chunks(self, selection: Selection) -> Iterator[Chunk]:
        """Yield the selected crops, in the order of the input, each once."""


@dataclass(frozen=True, eq=False)
class LoadedChunk:
    """A chunk with its pixels.

    Attributes:
        chunk: The chunk.
        pixels: Those of the n readable crops, (n, *image_size, 3), uint8, in the chunk's order.
        unreadable: The reason for each other crop, by index in the chunk.
    """

    chunk: Chunk
    pixels: NDArray[np.uint8]
    unreadable: dict[int, str]


class CropLoader:
    """Decode chunks at the model's size, in threads.

    Args:
        image_size: (height, width) that crops are resized to.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        self._image_size = image_size
        readable_formats()  # before the threads: one must not see modules that another imports
        # Pillow releases the interpreter lock while it decodes and resizes.
        self._threads = ThreadPoolExecutor(max_workers=os.cpu_count())

    def __enter__(self) -> "CropLoader":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def load(self, chunk: Chunk) -> LoadedChunk:
        """Decode a chunk, a file with several boxes once."""
        pixels = np.zeros((len(chunk.keys), *self._image_size, 3), np.uint8)
        unreadable: dict[int, str] = {}

        def fill(rows: Sequence[int]) -> None:
            boxes = [chunk.boxes[row] for row in rows]
            for row, crop in zip(rows, self._crops(chunk.images[rows[0]], boxes), strict=True):
                if isinstance(crop, Unreadable):
                    unreadable[row] = crop.reason
                else:
                    pixels[row] = crop

        list(self._threads.map(fill, _by_image(chunk.images)))
        readable = pixels if not unreadable else np.delete(pixels, sorted(unreadable), axis=0)
        return LoadedChunk(chunk, readable, unreadable)

    def _crops(
        self, image: Image, boxes: Sequence[Box | None]
    ) -> Iterator[NDArray[np.uint8] | Unreadable]:
        """Yield the crop in each box of an image."""
        whole = all(box is None for box in boxes)
        try:
            pixels = _read(image, self._image_size if whole else None)
        except ValueError as error:
            reason = (
                error.reasons[error.paths[0]] if isinstance(error, ImageReadError) else str(error)
            )
            yield from [Unreadable(reason)] * len(boxes)
            return
        for box in boxes:
            if box is None:
                yield resize_image(pixels, self._image_size)
                continue
            try:
                yield resize_image(cut(pixels, box), self._image_size)
            except ValueError as error:
                yield Unreadable(str(error))


def cut(image: NDArray[np.uint8], box: Box, *, bgr: bool = False) -> NDArray[np.uint8]:
    """Return the pixels in a box, in RGB.

    Raises:
        ValueError: The box is invalid; the message is the reason.
    """
    try:
        crops, _ = cut_out(image, [box], bgr=bgr)
    except ValueError as error:
        height, width = image.shape[:2]
        numbers = ", ".join(f"{number:g}" for number in box)
        raise ValueError(
            f"the box ({numbers}) as left, top, right, bottom holds no pixel of the image "
            f"({width} x {height}), or is not in pixels"
        ) from error
    return crops[0]


def _read(image: Image, image_size: tuple[int, int] | None) -> NDArray[np.uint8]:
    if isinstance(image, Unreadable):
        raise ValueError(image.reason)
    if isinstance(image, Path):
        return read_image(image, image_size)
    if isinstance(image, bytes):
        return decode_image(image, image_size)
    return image


def _by_image(images: Sequence[Image]) -> list[list[int]]:
    """Return the rows of each image; the same file may have several boxes."""
    rows: dict[Path | int, list[int]] = {}
    for row, image in enumerate(images):
        rows.setdefault(image if isinstance(image, Path) else row, []).append(row)
    return list(rows.values())
