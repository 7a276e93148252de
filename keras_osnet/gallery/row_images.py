"""Images of a gallery's rows: files, parts of files, and boxes in frames of videos."""

import base64
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.optional import require
from keras_osnet.data.images import read_image, require_pillow
from keras_osnet.runtime.boxes import cut_out

_SIZE = (240, 480)
"""Width and height of images on a page, at most."""


class RowImage(NamedTuple):
    """The image of a row as the URL of an embedded JPEG, or why there is none."""

    url: str | None
    why: str


def row_images(rows: Sequence[Mapping[str, Any]], folder: Path | None) -> list[RowImage]:
    """Return the images of rows for a page, none that is outside of a folder; see `row_pixels`.

    Args:
        rows: Rows with the column `source`.
        folder: The folder, after all links; None for no images.
    """
    images = [RowImage(None, "image not shown")] * len(rows)
    for index, image in row_pixels(rows, folder) if folder is not None else ():
        if isinstance(image, str):
            images[index] = RowImage(None, image)
        else:
            images[index] = RowImage(data_url(image), "")
    return images


def read_row_images(
    result: Sequence[Sequence[Mapping[str, Any]]], folder: str | os.PathLike[str]
) -> list[list[NDArray[np.uint8] | str]]:
    """Read the images of the rows that a search found, as `plot_search_results` draws them.

    Args:
        result: What `Gallery.search` returned.
        folder: The folder in which images may be read that the column `source` names, relative to
            it or absolute. A source elsewhere is not opened: whoever wrote to the gallery chose it.

    Returns:
        For each query and row the pixels (height, width, 3), uint8, RGB; or, in place of an image,
        why there is none.

    Raises:
        FileNotFoundError: The folder does not exist.
        ImportError: A source is a video, and OpenCV is not installed.
    """
    rows = [row for found in result for row in found]
    images = dict(row_pixels(rows, path_of("folder", folder).resolve(strict=True)))
    in_order = iter([images[index] for index in range(len(rows))])
    return [[next(in_order) for _ in found] for found in result]


def row_pixels(
    rows: Sequence[Mapping[str, Any]], folder: Path
) -> Iterator[tuple[int, NDArray[np.uint8] | str]]:
    """Yield the index of every row with its image, or with why there is none.

    Of a row with the columns `left` and `box`, as bulk embedding writes them, the box is cut out.
    Where there is also `frame`, the source is a video; each is decoded once, by OpenCV, up to the
    last frame that is needed.

    Args:
        rows: Rows with the column `source`, relative to the folder or absolute. A source elsewhere
            is not opened: whoever wrote to the gallery chose it.
        folder: The folder, after all links.
    """
    videos: dict[Path, dict[int, list[int]]] = {}
    for index, row in enumerate(rows):
        file = _inside(folder, row.get("source"))
        if file is None:
            yield index, "not in the folder of images"
        elif isinstance(row.get("frame"), int) and row.get("box") is not None:
            videos.setdefault(file, {}).setdefault(row["frame"], []).append(index)
        else:
            try:
                pixels = read_image(file)
            except (OSError, ValueError):
                yield index, "image cannot be read"
            else:
                has_box = row.get("left") is not None and row.get("box") is not None
                yield index, _part(pixels, row["box"]) if has_box else pixels
    for file, wanted in videos.items():
        for number, frame in _frames(file, wanted):
            for index in wanted.pop(number):
                yield index, _part(frame, rows[index]["box"])
        for index in (each for indices in wanted.values() for each in indices):
            yield index, "frame cannot be read"


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Return an image (height, width, 3), RGB, as the URL of an embedded JPEG."""
    content = io.BytesIO()
    image = require_pillow().fromarray(np.ascontiguousarray(pixels))
    image.thumbnail(_SIZE)
    image.save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _part(pixels: NDArray[np.uint8], box: Sequence[float | None]) -> NDArray[np.uint8]:
    """Return the part of an image in a box; a box without a pixel of the image is ignored."""
    edges = [math.nan if edge is None else edge for edge in box]
    crops, _ = cut_out(pixels, [edges], strict=False)
    return crops[0] if crops else pixels


def _frames(file: Path, wanted: Mapping[int, Any]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield frames of a video in RGB by their number; those that cannot be read are left out.

    Frames are counted, as bulk embedding counts them: a jump to a frame is inexact in some formats.

    Raises:
        ImportError: OpenCV is not installed.
    """
    cv2 = require("cv2", "Images from videos", "video")
    video = cv2.VideoCapture(str(file))
    try:
        numbers = set(wanted)
        for number in range(max(numbers) + 1):
            if not video.grab():
                return
            if number in numbers:
                read, frame = video.retrieve()
                if read:
                    yield number, frame[..., ::-1]
    finally:
        video.release()


def _inside(root: Path, source: Any) -> Path | None:
    """Return the file that a source names if it is in a folder, after all links."""
    if not isinstance(source, str) or "\0" in source:
        return None
    try:
        file = (root / source).resolve()
    except (OSError, RuntimeError):  # links in a circle
        return None
    return file if file.is_relative_to(root) and file.is_file() else None
