"""Cut boxes out of a frame, such as the people that a detector found."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import boolean, one_of
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.runtime.images import check_image

_Edges = NDArray[np.float64]

_FORMATS: dict[str, tuple[str, Callable[[_Edges, _Edges], tuple[_Edges, _Edges]]]] = {
    "xyxy": ("left, top, right, bottom", lambda first, second: (first, second)),
    "ltwh": ("left, top, width, height", lambda corner, size: (corner, corner + size)),
    "xywh": (
        "center x, center y, width, height",
        lambda center, size: (center - size / 2, center + size / 2),
    ),
}
"""The four numbers of a box, and from their halves to (left, top) and (right, bottom)."""

BOX_FORMATS = tuple(_FORMATS)

_NUMBERS = 4


def cut_out(
    frame: NDArray[np.uint8],
    boxes: ArrayLike,
    *,
    box_format: str = "xyxy",
    bgr: bool = False,
    strict: bool = True,
) -> tuple[list[NDArray[np.uint8]], NDArray[np.bool_]]:
    """Cut boxes out of a frame.

    A box is valid if its numbers are finite and it holds at least one pixel of the frame.

    Args:
        frame: Array (height, width, 3), uint8, RGB.
        boxes: Array (n, 4) in pixels of the frame; integers or floats. Pixel (row y, column x)
            covers x to x + 1 and y to y + 1, so that (0, 0, width, height) is the whole frame.
            Edges are rounded to whole pixels, and clipped to the frame.
        box_format: "xyxy" for (left, top, right, bottom), "ltwh" for (left, top, width, height),
            or "xywh" for (center x, center y, width, height).
        bgr: Whether the frame is BGR, as OpenCV reads it. The crops are RGB.
        strict: Whether a box that is not valid raises ValueError; otherwise it is left out.

    Returns:
        A view of the frame for each valid box, (height, width, 3) and at least one pixel; and
        whether each box is valid, (n,) bool.

    Raises:
        TypeError: The frame is not uint8.
        ValueError: The frame or the boxes are not of these shapes, or an argument is not as above.
            If `strict`, also: a box is not valid, and the message gives its index; or the boxes
            are fractions of the frame, of which there is only a warning otherwise.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.runtime.boxes import cut_out
        >>> frame = np.zeros((480, 640, 3), "uint8")
        >>> crops, valid = cut_out(frame, [(10, 20, 60, 140), (700, 0, 750, 90)], strict=False)
        >>> [crop.shape for crop in crops], valid.tolist()
        ([(120, 50, 3)], [True, False])
    """
    check_image(frame, "frame")
    one_of("box_format", box_format, BOX_FORMATS)
    numbers, to_edges = _FORMATS[box_format]
    given = _as_array(boxes, numbers)
    height, width = frame.shape[:2]
    _check_pixels(given, width, height, strict)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite numbers, and differences of them
        first, second = to_edges(given[:, :2], given[:, 2:])
        edges = np.concatenate([first, second], axis=1)
        # Halves are rounded up everywhere, so that boxes which share an edge share no pixel.
        whole = np.clip(np.floor(edges + 0.5), 0, [width, height, width, height])
        valid: NDArray[np.bool_] = np.isfinite(given).all(axis=1) & np.all(
            whole[:, :2] < whole[:, 2:], axis=1
        )
    if strict and not valid.all():
        index = int(np.argmin(valid))
        raise ValueError(
            "`boxes` must each hold at least one pixel of the frame "
            f"({width} x {height}), as ({numbers}). "
            f"Received: boxes[{index}] = {tuple(given[index].tolist())}"
        )
    pixels = frame[:, :, ::-1] if boolean("bgr", bgr) else frame
    corners = whole[valid].astype(np.intp).tolist()
    return [pixels[top:bottom, left:right] for left, top, right, bottom in corners], valid


def _as_array(boxes: Any, numbers: str) -> _Edges:
    try:
        given = np.asarray(boxes)
        if given.dtype.kind not in "biufO":  # text, dates and complex numbers would be converted
            raise TypeError(f"not of type {given.dtype}")
        given = given.astype(np.float64, copy=False)
    # Text, rows of different lengths, integers that are too large, and torch's tensors on a GPU
    # or with a gradient.
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(
            f"`boxes` must be numbers of the shape (n, 4): {error}. Received: {boxes!r:.200}"
        ) from error
    if given.shape == (0,):
        return given.reshape(0, _NUMBERS)
    if given.ndim != 2 or given.shape[1] != _NUMBERS:
        raise ValueError(
            f"`boxes` must have the shape (n, 4): {numbers}. Received: shape {given.shape}"
        )
    return given


def _check_pixels(given: _Edges, width: int, height: int, strict: bool) -> None:
    """Raise ValueError, or warn unless `strict`, of boxes that are fractions of the frame."""
    if not len(given) or not (np.abs(given) <= 1).all() or not (given % 1).any():
        return
    message = (
        "`boxes` must be in pixels; parts of the frame must be multiplied by its width and "
        f"height ({width} x {height}). Received: boxes[0] = {tuple(given[0].tolist())}"
    )
    if strict:
        raise ValueError(message)
    warn_user(message)
