"""Draw maps beside and over their images, for one model or several."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.visualize import _sheet
from keras_osnet.visualize._images import fitting, listed_images, read_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP, _STRIP_GAP, _HEADER, _LINE = 0.05, 0.3, 0.22, 0.16
_RATIO = 1.4
"""Aspect ratio that the arrangement of the strips aims at."""


def plot_maps(images: Any, maps: ArrayLike | Mapping[str, ArrayLike]) -> "Figure":
    """Draw images, and beside each its map and the map laid over it (paper, Fig. 6).

    Each map is scaled to its own range.

    Args:
        images: Array (n, height, width, 3), uint8, RGB; files; or a folder.
        maps: Array (n, h, w) of real numbers, as `activation_maps`, `grad_cam`, `score_cam` and
            `saliency_maps` return them; or several by title, which are drawn side by side: a
            network with T=4 streams and one with T=1. They are enlarged to the images.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If there are no maps, they are for another number of images, or a number is
            NaN or infinite.
        ImageReadError: If files cannot be read.
        ImportError: If matplotlib is not installed.

    Example:
        >>> from keras_osnet.synthetic import synthetic_people
        >>> images = synthetic_people(2, views=1, image_size=(64, 32)).images
        >>> figure = plot_maps(images, {"red": images[..., 0], "blue": images[..., 2]})
        >>> len(figure.axes)  # an image, two maps and two overlays of each of four
        20
    """
    listed = listed_images(images)
    titled = {title: _checked(values, len(listed)) for title, values in _by_title(maps).items()}
    images = [fitting(image) for image in read_images(listed)]

    height = 1.9 if len(images) <= 4 else 1.5
    width = _sheet.tile_width(images, height)
    strip = (1 + 2 * len(titled)) * (width + _GAP) - _GAP
    columns = _sheet.columns(
        len(images), (strip + _STRIP_GAP, height + _GAP), _RATIO, above=_HEADER, filled=True
    )
    headings = [_wrapped(title, 2 * width) for title in titled]
    above = _LINE * max(len(lines) for lines in headings)
    rows = -(-len(images) // columns)
    figure = _sheet.sheet(
        2 * _sheet.MARGIN + columns * (strip + _STRIP_GAP) - _STRIP_GAP,
        2 * _sheet.MARGIN + above + _HEADER + rows * (height + _GAP) - _GAP,
    )
    top = _sheet.MARGIN + above + _HEADER
    for column in range(columns):
        left = _sheet.MARGIN + column * (strip + _STRIP_GAP)
        _write_header(figure, (left, top), width, headings)
        # Down the columns, so that neighbors in the list are neighbors in the figure.
        for row, index in enumerate(range(column * rows, min(len(images), (column + 1) * rows))):
            place = left, top + row * (height + _GAP)
            each = [values[index] for values in titled.values()]
            _draw_strip(figure, place, (width, height), images[index], each)
    return figure


def unit_range(maps: ArrayLike) -> NDArray[np.float32]:
    """Scale each map (…, height, width) to the range 0–1; a constant one becomes 0.

    No epsilon is added to the divisor: gradients may be of that order.
    """
    values = np.asarray(maps, np.float64)
    low = values.min(axis=(-2, -1), keepdims=True)
    span = values.max(axis=(-2, -1), keepdims=True) - low
    return ((values - low) / np.where(span > 0, span, 1)).astype(np.float32)


def _by_title(maps: Any) -> dict[str, Any]:
    titled = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    if not titled:
        raise ValueError("`maps` must hold at least one array. Received: none")
    return titled


def _checked(maps: ArrayLike, count: int) -> NDArray:
    values = np.asarray(maps)
    if values.ndim != 3 or len(values) != count or 0 in values.shape:
        raise ValueError(
            f"`maps` must be arrays (n, h, w) of the n={count} images. "
            f"Received: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`maps` must be finite. Received: NaN or infinity")
    return values.astype(np.float32)


def _wrapped(title: str, width: float) -> list[str]:
    """Return a title in up to two lines, as much as fits."""
    if not title:
        return []
    words, line = title.split(), ""
    while words and _sheet.text_width(f"{line} {words[0]}", _sheet.TEXT) <= width:
        line = f"{line} {words.pop(0)}".strip()
    lines = [line] if line else []
    return lines + ([_sheet.shortened(" ".join(words), width)] if words else [])


def _write_header(
    figure: "Figure", corner: tuple[float, float], width: float, headings: list[list[str]]
) -> None:
    left, top = corner
    step, below = width + _GAP, top - _HEADER / 2 - 0.01
    small = {"fontsize": _sheet.SMALL, "color": _sheet.GRAY}
    _sheet.write(figure, left + width / 2, below, "image", **small)
    for number, lines in enumerate(headings):
        first = left + (1 + 2 * number) * step
        for place, line in enumerate(reversed(lines)):
            y = top - _HEADER - (place + 0.5) * _LINE
            _sheet.write(
                figure, first + width + _GAP / 2, y, line, weight="bold", fontsize=_sheet.SMALL
            )
        _sheet.write(figure, first + width / 2, below, "map", **small)
        _sheet.write(figure, first + step + width / 2, below, "overlay", **small)


def _draw_strip(
    figure: "Figure",
    place: tuple[float, float],
    size: tuple[float, float],
    image: NDArray[np.uint8],
    maps: list[NDArray],
) -> None:
    left, top = place
    _sheet.image_axes(figure, (left, top), size, image)
    for number, values in enumerate(maps):
        x = left + (1 + 2 * number) * (size[0] + _GAP)
        tile = _sheet.image_axes(figure, (x, top), size, image, draw=False)
        _draw_map(tile, image, values)
        overlay = _sheet.image_axes(figure, (x + size[0] + _GAP, top), size, image)
        # Transparent where the map is low.
        _draw_map(overlay, image, values, alpha=0.1 + 0.65 * unit_range(values))


def _draw_map(tile: Any, image: NDArray, values: NDArray, alpha: Any = 1.0) -> None:
    height, width = image.shape[:2]
    tile.imshow(
        values,
        cmap=_sheet.HEAT,
        alpha=alpha,
        aspect="auto",
        interpolation="bilinear",
        extent=(0, width, height, 0),
    )
