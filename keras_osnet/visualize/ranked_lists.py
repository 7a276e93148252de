"""Queries and what a network finds for them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_osnet._utils.checks import positive_integer
from keras_osnet.data.spacing import evenly_spaced
from keras_osnet.metrics import RankedList, ranked_lists
from keras_osnet.visualize import _sheet
from keras_osnet.visualize._pictures import fitting, listed_pictures, read_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT, _GAP, _LABEL, _HEADER, _AFTER_QUERY = 1.35, 0.09, 0.95, 0.25, 0.2


def plot_ranked_lists(
    query_images: Any,
    gallery_images: Any,
    distances: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    queries: Sequence[int] | None = None,
    top: int = 10,
) -> "Figure":
    """Draw queries, and beside each the first of the gallery, framed as right or wrong.

    Gallery images of the query's identity under its own camera are left out, as in
    `keras_osnet.metrics.evaluate_ranking` (Market-1501's protocol). Right ones have a green
    frame and a tick, wrong ones a red frame and a cross. Of files only those that are drawn are
    read.

    Args:
        query_images: Array (num_query, height, width, 3), uint8, RGB; files, `PersonImage`s; or a
            folder.
        gallery_images: The same of the gallery.
        distances: Array (num_query, num_gallery) of real numbers; smaller is more alike.
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        queries: Which queries to draw, indices from 0. By default up to eight, evenly spaced.
        top: How many of the gallery for each.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If numbers of pictures, distances and labels do not agree, a distance is NaN, or
            another argument is wrong.
        TypeError: If labels are neither integers nor strings.
        ImageReadError: If files cannot be read.
        ImportError: If matplotlib is not installed.

    Example:
        >>> from keras_osnet.synthetic import synthetic_people
        >>> people = synthetic_people(3, cameras=2, views=1, image_size=(64, 32))
        >>> query, gallery = people.cameras == 0, people.cameras == 1
        >>> figure = plot_ranked_lists(
        ...     people.images[query],
        ...     people.images[gallery],
        ...     np.eye(3),
        ...     people.identities[query],
        ...     people.identities[gallery],
        ...     top=2,
        ... )
        >>> len(figure.axes)  # three queries and two of the gallery for each
        9
    """
    top = positive_integer("top", top)
    sides = (
        listed_pictures(query_images, "query_images"),
        listed_pictures(gallery_images, "gallery_images"),
    )
    shape = np.shape(distances)
    if queries is None and len(shape) == 2:
        queries = evenly_spaced(shape[0], 8)
    labels = query_ids, gallery_ids, query_cameras, gallery_cameras
    ranked = ranked_lists(distances, *labels, queries=queries, top_k=None)
    for name, pictures, length in (
        ("query_images", sides[0], shape[0]),
        ("gallery_images", sides[1], shape[1]),
    ):
        if len(pictures) != length:
            raise ValueError(
                f"`{name}` must be as many as the distances have, {length}. "
                f"Received: {len(pictures)} pictures"
            )
    rows = []
    for found in ranked:
        files = [sides[0][found.query], *(sides[1][each] for each in found.gallery[:top])]
        rows.append([fitting(picture) for picture in read_pictures(files)])

    width = _sheet.tile_width([picture for row in rows for picture in row], _HEIGHT)
    longest = max(len(row) for row in rows)
    first = _sheet.MARGIN + _LABEL
    figure = _sheet.sheet(
        first + _AFTER_QUERY + longest * (width + _GAP) - _GAP + _sheet.MARGIN,
        2 * _sheet.MARGIN + _HEADER + len(rows) * (_HEIGHT + _GAP) - _GAP,
    )
    for rank in range(longest):
        x = first + rank * (width + _GAP) + (_AFTER_QUERY if rank else 0) + width / 2
        text = "query" if rank == 0 else str(rank)
        weight = "bold" if rank == 0 else "normal"
        _sheet.write(figure, x, _sheet.MARGIN + 0.09, text, weight=weight)
    ids, cameras = np.asarray(query_ids), query_cameras
    for number, (found, row) in enumerate(zip(ranked, rows, strict=True)):
        y = _sheet.MARGIN + _HEADER + number * (_HEIGHT + _GAP)
        camera = None if cameras is None else np.asarray(cameras)[found.query]
        _write_label(figure, y + _HEIGHT / 2, ids[found.query], camera, found)
        _sheet.picture_axes(figure, (first, y), (width, _HEIGHT), row[0], _sheet.INK, 1.2)
        for rank, (picture, right) in enumerate(zip(row[1:], found.matches[:top], strict=True), 1):
            x = first + _AFTER_QUERY + rank * (width + _GAP)
            _draw_found(figure, (x, y), (width, _HEIGHT), picture, bool(right))
    return figure


def _write_label(figure: "Figure", y: float, identity: Any, camera: Any, found: RankedList) -> None:
    lines: list[tuple[str, dict[str, Any]]] = [(f"ID {identity}", {"weight": "bold"})]
    small = {"fontsize": _sheet.SMALL, "color": _sheet.GREY}
    if camera is not None:
        lines.append((f"camera {camera}", small))
    matches = int(found.matches.sum())
    lines.append((f"{matches} match{'es' if matches != 1 else ''}", small))
    for number, (line, style) in enumerate(lines):
        at = y + (number - (len(lines) - 1) / 2) * 0.16
        text = _sheet.shortened(line, _LABEL - 0.1)
        _sheet.write(figure, _sheet.MARGIN, at, text, ha="left", **style)


def _draw_found(
    figure: "Figure",
    place: tuple[float, float],
    size: tuple[float, float],
    picture: Any,
    right: bool,
) -> None:
    colour = _sheet.RIGHT if right else _sheet.WRONG
    tile = _sheet.picture_axes(figure, place, size, picture, colour, 2.2)
    tile.text(
        0.09 / size[0],
        1 - 0.1 / size[1],
        "✓" if right else "✗",
        transform=tile.transAxes,
        color="white",
        fontsize=_sheet.SMALL,
        ha="center",
        va="center",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": colour, "edgecolor": "none"},
    )
