"""Images of a gallery's rows: files, parts of files, and boxes in frames of videos."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.data.images import read_image, require_pillow

_SIZE = (240, 480)
"""Width and height of images on a page, at most."""


class RowImage(NamedTuple):
    """The image of a row as the URL of an embedded JPEG, or why there is none."""

    url: str | None
    why: str


def row_images(rows: Sequence[Mapping[str, Any]], folder: Path | None) -> list[RowImage]:
    """Return the images of rows, none that is outside of a folder.

    Of a row with the columns `left` and `box`, as bulk embedding writes them, the box is cut out.
    Where there is also `frame`, the source is a video; each is decoded once, by OpenCV, up to the
    last frame that is needed.

    Args:
        rows: Rows with the column `source`, relative to the folder or absolute. A source elsewhere
            is not opened: whoever wrote to the gallery chose it.
        folder: The folder, after all links; None for no images.
    """
    if folder is None:
        return [RowImage(None, "image not shown")] * len(rows)
    images = [RowImage(None, "not in the folder of images")] * len(rows)
    videos: dict[Path, dict[int, list[int]]] = {}
    for index, row in enumerate(rows):
        file = _inside(folder, row.get("source"))
        if file is None:
            continue
        if row.get("frame") is not None and row.get("box") is not None:
            videos.setdefault(file, {}).setdefault(int(row["frame"]), []).append(index)
            continue
        try:
            images[index] = RowImage(data_url(read_image(file), _box_of(row)), "")
        except (OSError, ValueError):
            images[index] = RowImage(None, "image cannot be read")
    for file, wanted in videos.items():
        for index in (each for indices in wanted.values() for each in indices):
            images[index] = RowImage(None, "frame cannot be read")
        for number, frame in _frames(file, wanted):
            for index in wanted[number]:
                images[index] = RowImage(data_url(frame, rows[index]["box"]), "")
    return images


def data_url(pixels: NDArray[np.uint8], box: Sequence[float] | None = None) -> str:
    """Return an image, or the part of it in a box, as the URL of an embedded JPEG.

    Args:
        pixels: Array (height, width, 3), RGB.
        box: Left, top, right, bottom; one without a pixel of the image is ignored.
    """
    if box is not None:
        height, width = pixels.shape[:2]
        left, top = (max(0, round(edge)) for edge in box[:2])
        part = pixels[top : min(height, round(box[3])), left : min(width, round(box[2]))]
        pixels = part if part.size else pixels
    content = io.BytesIO()
    image = require_pillow().fromarray(np.ascontiguousarray(pixels))
    image.thumbnail(_SIZE)
    image.save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _box_of(row: Mapping[str, Any]) -> Sequence[float] | None:
    return row.get("box") if row.get("left") is not None else None


def _frames(file: Path, wanted: Mapping[int, Any]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield frames of a video in RGB by their number; those that cannot be read are left out.

    Frames are counted, as bulk embedding counts them: a jump to a frame is inexact in some formats.

    Raises:
        ImportError: OpenCV is not installed.
    """
    cv2 = require("cv2", "Images from videos", "video")
    video = cv2.VideoCapture(str(file))
    try:
        for number in range(max(wanted) + 1):
            if not video.grab():
                return
            if number in wanted:
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
