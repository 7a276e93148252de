"""The drawing of ranked lists: a row for each query, with the images found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT, _GAP, _LABEL, _HEADER, _AFTER_QUERY, _LINE = 1.35, 0.09, 0.95, 0.25, 0.2, 0.14


@dataclass(frozen=True)
class Tile:
    """An image that was found.

    Attributes:
        image: Pixels (height, width, 3), uint8; or, in its place, why there is none.
        right: Whether it shows the person of the query; None if that is not known.
        facts: Lines below it.
    """

    image: NDArray[np.uint8] | str
    right: bool | None = None
    facts: Sequence[str] = ()


@dataclass(frozen=True)
class RankedRow:
    """A query and what was found.

    Attributes:
        image: Pixels of the query (height, width, 3), uint8.
        name: Its name.
        facts: Lines below the name.
        tiles: The images found, the most similar first.
    """

    image: NDArray[np.uint8]
    name: str
    facts: Sequence[str]
    tiles: Sequence[Tile]


def draw_ranked_rows(rows: Sequence[RankedRow]) -> "Figure":
    """Draw rows below each other.

    Right images have a green frame and a tick, wrong ones a red frame and a cross.
    """
    images = [row.image for row in rows]
    images += [each.image for row in rows for each in row.tiles if not isinstance(each.image, str)]
    width = _sheet.tile_width(images, _HEIGHT)
    longest = 1 + max(len(row.tiles) for row in rows)
    lines = max((len(tile.facts) for row in rows for tile in row.tiles), default=0)
    if lines:
        width = max(width, 0.75)  # for the facts
    height, first = _HEIGHT + lines * _LINE + _GAP, _sheet.MARGIN + _LABEL
    figure = _sheet.sheet(
        first + _AFTER_QUERY + longest * (width + _GAP) - _GAP + _sheet.MARGIN,
        2 * _sheet.MARGIN + _HEADER + len(rows) * height - _GAP,
    )
    columns = [first + rank * (width + _GAP) + bool(rank) * _AFTER_QUERY for rank in range(longest)]
    for rank, x in enumerate(columns):
        style = {} if rank else {"weight": "bold"}
        text = str(rank or "query")
        _sheet.write(figure, x + width / 2, _sheet.MARGIN + 0.09, text, **style)
    for number, row in enumerate(rows):
        y = _sheet.MARGIN + _HEADER + number * height
        _write_label(figure, y + _HEIGHT / 2, row)
        _sheet.image_axes(figure, (first, y), (width, _HEIGHT), row.image, _sheet.INK, 1.2)
        for x, tile in zip(columns[1:], row.tiles, strict=False):
            _draw_tile(figure, (x, y), (width, _HEIGHT), tile)
            for line, fact in enumerate(tile.facts):
                color = _sheet.GRAY if line else _sheet.INK
                text = _sheet.shortened(fact, width, _sheet.SMALL)
                at = y + _HEIGHT + (line + 0.6) * _LINE
                _sheet.write(figure, x + width / 2, at, text, fontsize=_sheet.SMALL, color=color)
    return figure


def _write_label(figure: "Figure", y: float, row: RankedRow) -> None:
    lines: list[tuple[str, dict[str, Any]]] = [(row.name, {"weight": "bold"})]
    lines += [(fact, {"fontsize": _sheet.SMALL, "color": _sheet.GRAY}) for fact in row.facts]
    for number, (line, style) in enumerate(lines):
        at = y + (number - (len(lines) - 1) / 2) * 0.16
        text = _sheet.shortened(line, _LABEL - 0.1)
        _sheet.write(figure, _sheet.MARGIN, at, text, ha="left", **style)


def _draw_tile(
    figure: "Figure", place: tuple[float, float], size: tuple[float, float], tile: Tile
) -> None:
    if isinstance(tile.image, str):
        blank = np.full((2, 1, 3), 255, np.uint8)
        _sheet.image_axes(figure, place, size, blank, _sheet.GRAY, draw=False)
        x, y = place[0] + size[0] / 2, place[1] + size[1] / 2
        words = tile.image.split()
        for number, word in enumerate(words):
            at = y + (number - (len(words) - 1) / 2) * _LINE
            text = _sheet.shortened(word, size[0] - 0.1, _sheet.SMALL)
            _sheet.write(figure, x, at, text, fontsize=_sheet.SMALL, color=_sheet.GRAY)
        return
    if tile.right is None:
        _sheet.image_axes(figure, place, size, tile.image, _sheet.GRAY)
        return
    color = _sheet.RIGHT if tile.right else _sheet.WRONG
    drawn = _sheet.image_axes(figure, place, size, tile.image, color, 2.2)
    drawn.text(
        0.09 / size[0],
        1 - 0.1 / size[1],
        "✓" if tile.right else "✗",
        transform=drawn.transAxes,
        color="white",
        fontsize=_sheet.SMALL,
        ha="center",
        va="center",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": color, "edgecolor": "none"},
    )
