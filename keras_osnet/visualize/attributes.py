"""Images with the attributes predicted for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import positive_integer
from keras_osnet.metrics.attributes import check_threshold
from keras_osnet.visualize import _sheet
from keras_osnet.visualize._images import fitting, listed_images, read_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE, _LIST, _GAP, _BETWEEN = 0.21, 2.3, 0.12, 0.3
_RATIO = 1.5
_MARKS = {"right": ("✓", _sheet.RIGHT), "wrong": ("✗", _sheet.WRONG), "missed": ("○", _sheet.GRAY)}
_NEUTRAL = ("•", _sheet.COLORS[0])


@dataclass(frozen=True)
class _Line:
    name: str
    score: float
    mark: str
    color: str


def plot_attributes(
    images: Any,
    probabilities: ArrayLike,
    names: Sequence[str],
    labels: ArrayLike | None = None,
    *,
    threshold: float = 0.5,
    top: int = 10,
) -> "Figure":
    """Draw images with their predicted attributes and the probabilities (paper, Fig. 7).

    With labels, a green tick marks an attribute that was predicted correctly, a red cross one that
    was predicted wrongly, and a gray ring one that was missed.

    Args:
        images: Array (n, height, width, 3), uint8, RGB; files; or a folder.
        probabilities: Array (n, attributes) of numbers from 0 to 1.
        names: Names of the attributes.
        labels: Array (n, attributes) of 0 and 1, the ground truth; or None.
        threshold: Lowest probability at which an attribute is predicted, above 0 and at most 1.
        top: Number of attributes to list beside each image, the most probable first.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If the numbers of images or attributes differ, a probability is outside 0–1, a
            label is neither 0 nor 1, or another argument is wrong.
        ImageReadError: If files cannot be read.
        ImportError: If matplotlib is not installed.

    Example:
        >>> from keras_osnet.synthetic import synthetic_people
        >>> images = synthetic_people(2, cameras=1, views=1, image_size=(64, 32)).images
        >>> scores = [[0.9, 0.2], [0.7, 0.6]]
        >>> figure = plot_attributes(images, scores, ["hat", "bag"], labels=[[1, 1], [0, 1]])
        >>> [text.get_text() for text in figure.texts if text.get_text() in "✓✗○"]
        ['✓', '○', '✗', '✓']
    """
    check_threshold(threshold)
    top = positive_integer("top", top)
    listed = listed_images(images)
    scores = _checked(probabilities, "probabilities", (len(listed), len(names)))
    truth = None
    if labels is not None:
        truth = _checked(labels, "labels", (len(listed), len(names)))
        if not np.isin(truth, (0, 1)).all():
            raise ValueError(
                f"`labels` must be 0 or 1. Received: {truth[~np.isin(truth, (0, 1))][0]}"
            )
    lists = [
        _lines(row, list(names), None if truth is None else truth[index] == 1, threshold)
        for index, row in enumerate(scores)
    ]
    images = [fitting(image) for image in read_images(listed)]

    longest = max(min(len(lines), top) + (len(lines) > top) for lines in lists)
    height = max(longest * _LINE, 1.5)
    width = _sheet.tile_width(images, height)
    panel = width + _GAP + _LIST
    count = len(images)
    columns = _sheet.columns(count, (panel, height + _BETWEEN), _RATIO)
    rows = -(-count // columns)
    figure = _sheet.sheet(
        2 * _sheet.MARGIN + columns * (panel + _BETWEEN) - _BETWEEN,
        2 * _sheet.MARGIN + rows * (height + _BETWEEN) - _BETWEEN,
    )
    for index, (image, lines) in enumerate(zip(images, lists, strict=True)):
        row, column = divmod(index, columns)
        x = _sheet.MARGIN + column * (panel + _BETWEEN)
        y = _sheet.MARGIN + row * (height + _BETWEEN)
        _sheet.image_axes(figure, (x, y), (width, height), image)
        _write_lines(figure, x + width + _GAP, y, lines, top)
    return figure


def _checked(values: ArrayLike, name: str, shape: tuple[int, int]) -> NDArray:
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(
            f"`{name}` must have shape {shape}, one row per image and one column per name. "
            f"Received: shape {array.shape}"
        )
    if not ((array >= 0) & (array <= 1)).all():  # NaN too
        outside = array[~((array >= 0) & (array <= 1))][0]
        raise ValueError(f"`{name}` must be between 0 and 1. Received: {outside}")
    return array


def _lines(
    scores: NDArray, names: list[str], truth: NDArray[np.bool_] | None, threshold: float
) -> list[_Line]:
    """Return the lines beside an image: the most probable first, missed attributes last."""
    lines = []
    for index in np.argsort(-scores, kind="stable"):
        score = float(scores[index])
        if truth is None:
            kind = _NEUTRAL
        else:
            predicted = "right" if truth[index] else "wrong"
            kind = _MARKS[predicted if score >= threshold else "missed"]
        if score >= threshold or (truth is not None and truth[index]):
            lines.append(_Line(names[index], score, *kind))
    return lines


def _write_lines(figure: "Figure", x: float, y: float, lines: list[_Line], top: int) -> None:
    gray = {"ha": "left", "fontsize": _sheet.SMALL, "color": _sheet.GRAY}
    bar, score = 0.55, 0.3
    for number, line in enumerate(lines[:top]):
        middle = y + (number + 0.5) * _LINE
        _sheet.write(figure, x + 0.07, middle, line.mark, color=line.color, weight="bold")
        name = _sheet.shortened(line.name, _LIST - bar - score - 0.3)
        _sheet.write(figure, x + 0.2, middle, name, ha="left")
        _draw_bar(figure, x + _LIST - bar - score, middle, bar, line)
        _sheet.write(
            figure, x + _LIST, middle, f"{line.score:.2f}", ha="right", fontsize=_sheet.SMALL
        )
    if len(lines) > top:
        _sheet.write(
            figure, x + 0.2, y + (top + 0.5) * _LINE, f"and {len(lines) - top} more", **gray
        )
    if not lines:
        _sheet.write(figure, x, y + 0.5 * _LINE, "nothing predicted", **gray)


def _draw_bar(figure: "Figure", x: float, y: float, length: float, line: _Line) -> None:
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    for share, color in ((1.0, _sheet.PALE), (line.score, line.color)):
        corner = x / width, 1 - (y + 0.04) / height
        size = length * share / width, 0.08 / height
        figure.add_artist(
            Rectangle(corner, *size, transform=figure.transFigure, color=color, linewidth=0)
        )
