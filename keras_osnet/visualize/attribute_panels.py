"""Pictures with the attributes that a network sees on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import positive_integer
from keras_osnet.metrics.attributes import check_threshold
from keras_osnet.visualize import _sheet
from keras_osnet.visualize._pictures import fitting, listed_pictures, read_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE, _LIST, _GAP, _BETWEEN = 0.21, 2.3, 0.12, 0.3
_RATIO = 1.5
_MARKS = {"right": ("✓", _sheet.RIGHT), "wrong": ("✗", _sheet.WRONG), "missed": ("○", _sheet.GREY)}
_NEUTRAL = ("•", _sheet.COLOURS[0])


@dataclass(frozen=True)
class _Line:
    name: str
    score: float
    mark: str
    colour: str


def plot_attributes(
    images: Any,
    probabilities: ArrayLike,
    names: Sequence[str],
    labels: ArrayLike | None = None,
    *,
    threshold: float = 0.5,
    top: int = 10,
) -> "Figure":
    """Draw pictures with the attributes predicted for them, and how sure they are (paper, Fig. 7).

    With labels, a tick in green is an attribute that is there, a cross in red one that is not, and
    a ring in grey one that is there and was missed.

    Args:
        images: Array (n, height, width, 3), uint8, RGB; files; or a folder.
        probabilities: Array (n, attributes) of numbers from 0 to 1.
        names: Of the attributes.
        labels: Array (n, attributes) of 0 and 1, what is really there; or None.
        threshold: Probability from which on an attribute is predicted, above 0 and at most 1.
        top: How many attributes to name at each picture, the surest first.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If the numbers of pictures or attributes differ, a probability is outside 0–1, a
            label is neither 0 nor 1, or another argument is wrong.
        ImageReadError: If files cannot be read.
        ImportError: If matplotlib is not installed.

    Example:
        >>> from keras_osnet.synthetic import synthetic_people
        >>> pictures = synthetic_people(2, cameras=1, views=1, image_size=(64, 32)).images
        >>> scores = [[0.9, 0.2], [0.7, 0.6]]
        >>> figure = plot_attributes(pictures, scores, ["hat", "bag"], labels=[[1, 1], [0, 1]])
        >>> [text.get_text() for text in figure.texts if text.get_text() in "✓✗○"]
        ['✓', '○', '✗', '✓']
    """
    check_threshold(threshold)
    top = positive_integer("top", top)
    listed = listed_pictures(images)
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
    pictures = [fitting(picture) for picture in read_pictures(listed)]

    longest = max(min(len(lines), top) + (len(lines) > top) for lines in lists)
    height = max(longest * _LINE, 1.5)
    width = _sheet.tile_width(pictures, height)
    panel = width + _GAP + _LIST
    count = len(pictures)
    columns = min(
        range(1, count + 1),
        key=lambda c: abs(np.log(c * panel / (-(-count // c) * (height + _BETWEEN)) / _RATIO)),
    )
    rows = -(-count // columns)
    figure = _sheet.sheet(
        2 * _sheet.MARGIN + columns * (panel + _BETWEEN) - _BETWEEN,
        2 * _sheet.MARGIN + rows * (height + _BETWEEN) - _BETWEEN,
    )
    for index, (picture, lines) in enumerate(zip(pictures, lists, strict=True)):
        row, column = divmod(index, columns)
        x = _sheet.MARGIN + column * (panel + _BETWEEN)
        y = _sheet.MARGIN + row * (height + _BETWEEN)
        _sheet.picture_axes(figure, (x, y), (width, height), picture)
        _write_lines(figure, x + width + _GAP, y, lines, top)
    return figure


def _checked(values: ArrayLike, name: str, shape: tuple[int, int]) -> NDArray:
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(
            f"`{name}` must have shape {shape}, one row a picture and one column a name. "
            f"Received: shape {array.shape}"
        )
    if not ((array >= 0) & (array <= 1)).all():  # NaN too
        outside = array[~((array >= 0) & (array <= 1))][0]
        raise ValueError(f"`{name}` must be between 0 and 1. Received: {outside}")
    return array


def _lines(
    scores: NDArray, names: list[str], truth: NDArray[np.bool_] | None, threshold: float
) -> list[_Line]:
    """What to write beside a picture: the surest first, and what was missed last."""
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
    grey = {"ha": "left", "fontsize": _sheet.SMALL, "color": _sheet.GREY}
    bar, score = 0.55, 0.3
    for number, line in enumerate(lines[:top]):
        middle = y + (number + 0.5) * _LINE
        _sheet.write(figure, x + 0.07, middle, line.mark, color=line.colour, weight="bold")
        name = _sheet.shortened(line.name, _LIST - bar - score - 0.3)
        _sheet.write(figure, x + 0.2, middle, name, ha="left")
        _draw_bar(figure, x + _LIST - bar - score, middle, bar, line)
        _sheet.write(
            figure, x + _LIST, middle, f"{line.score:.2f}", ha="right", fontsize=_sheet.SMALL
        )
    if len(lines) > top:
        _sheet.write(
            figure, x + 0.2, y + (top + 0.5) * _LINE, f"and {len(lines) - top} more", **grey
        )
    if not lines:
        _sheet.write(figure, x, y + 0.5 * _LINE, "nothing predicted", **grey)


def _draw_bar(figure: "Figure", x: float, y: float, length: float, line: _Line) -> None:
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    for share, colour in ((1.0, _sheet.PALE), (line.score, line.colour)):
        corner = x / width, 1 - (y + 0.04) / height
        size = length * share / width, 0.08 / height
        figure.add_artist(
            Rectangle(corner, *size, transform=figure.transFigure, color=colour, linewidth=0)
        )
