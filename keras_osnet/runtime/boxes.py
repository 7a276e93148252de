"""Cutting people out of a frame."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGES = 4


def cut_out(frame: NDArray[np.uint8], boxes: ArrayLike) -> list[NDArray[np.uint8]]:
    """Cut boxes out of a frame.

    Args:
        frame: Array (height, width, 3), uint8, RGB.
        boxes: Array (n, 4) of (left, top, right, bottom) in pixels of the frame; integers or
            floats. Pixel (row y, column x) covers x to x + 1 and y to y + 1, so that (0, 0,
            width, height) is the whole frame. Edges are rounded to whole pixels, and clipped to
            the frame.

    Returns:
        n views of the frame, each (height, width, 3) and at least one pixel.

    Raises:
        TypeError: The frame is not uint8.
        ValueError: The frame or the boxes are not of these shapes, the boxes are fractions of the
            frame, or a box holds no pixel of the frame or a NaN; the message gives its index.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.runtime.boxes import cut_out
        >>> frame = np.zeros((480, 640, 3), "uint8")
        >>> [crop.shape for crop in cut_out(frame, [(10, 20, 60, 140), (599.5, 0, 700, 99.7)])]
        [(120, 50, 3), (100, 40, 3)]
    """
    check_picture(frame, "frame")
    try:
        edges = np.asarray(boxes, np.float64)
    except (TypeError, ValueError) as error:  # of texts, of rows of different lengths
        raise ValueError(
            f"`boxes` must be numbers of the shape (n, 4): {error}. Received: {boxes!r:.200}"
        ) from error
    if edges.shape == (0,):
        return []
    if edges.ndim != 2 or edges.shape[1] != _EDGES:
        raise ValueError(
            "`boxes` must have the shape (n, 4): left, top, right, bottom. "
            f"Received: shape {edges.shape}"
        )
    height, width = frame.shape[:2]
    if len(edges) and (np.abs(edges) <= 1).all() and (edges % 1).any():
        raise ValueError(
            "`boxes` must be in pixels; parts of the frame must be multiplied by its width and "
            f"height ({width} x {height}). Received: boxes[0] = {tuple(edges[0].tolist())}"
        )
    # Halves go up everywhere, so that boxes which share an edge share no pixel.
    whole = np.clip(np.floor(edges + 0.5), 0, [width, height, width, height])
    crops = []
    for index, (left, top, right, bottom) in enumerate(whole):
        # A NaN compares as false, too.
        if not (left < right and top < bottom):
            raise ValueError(
                f"`boxes` must each hold at least one pixel of the frame ({width} x {height}), as "
                "(left, top, right, bottom). "
                f"Received: boxes[{index}] = {tuple(edges[index].tolist())}"
            )
        crops.append(frame[int(top) : int(bottom), int(left) : int(right)])
    return crops


def check_picture(pixels: object, name: str) -> None:
    """Raise TypeError or ValueError unless an array is one picture, uint8 RGB."""
    if not isinstance(pixels, np.ndarray):
        raise TypeError(f"`{name}` must be a NumPy array. Received: {type(pixels).__name__}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(
            f"`{name}` must have the shape (height, width, 3), at least one pixel of RGB. "
            f"Received: shape {pixels.shape}"
        )
    if pixels.dtype != np.uint8:
        raise TypeError(
            f"`{name}` must be RGB of 0–255 in uint8, not normalised: the embedder does that. "
            f"Received: dtype {pixels.dtype}"
        )
