"""What a search in a gallery found, as ranked lists."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.visualize._images import fitting, listed_images, read_images
from keras_osnet.visualize._ranked_rows import RankedRow, Tile, draw_ranked_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_search_results(
    query_images: Any,
    results: Sequence[Sequence[Mapping[str, Any]]],
    images: Sequence[Sequence[NDArray[np.uint8] | str]],
) -> "Figure":
    """Draw queries and the rows of a gallery that a search found.

    Below each image are its similarity, the person's name or the camera, and the time, as far as
    they are known.

    Args:
        query_images: Array (queries, height, width, 3), uint8, RGB; or files.
        results: For each query its rows: dicts with `similarity`, `person`, `camera` and `time`, as
            `keras_osnet.gallery.Gallery.search` returns them.
        images: For each query the images of its rows: arrays (height, width, 3), uint8; or, in
            place of one, why there is none, which is written. `keras_osnet.gallery.read_row_images`
            returns them.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If there are more queries or images than results, or fewer.
        ImageReadError: If the file of a query cannot be read.
        ImportError: If matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((64, 32, 3), np.uint8)
        >>> rows = [{"similarity": 0.9, "camera": "3"}, {"similarity": 0.7, "camera": "2"}]
        >>> figure = plot_search_results([image], [rows], [[image, "image not found"]])
        >>> len(figure.axes)
        3
    """
    queries = listed_images(query_images, "query_images")
    for name, values in (("query_images", queries), ("images", images)):
        if len(values) != len(results):
            raise ValueError(
                f"`{name}` must be as many as the results, {len(results)}. Received: {len(values)}"
            )
    drawn = []
    for number, (query, rows, found) in enumerate(zip(queries, results, images, strict=True)):
        if len(found) != len(rows):
            raise ValueError(
                f"`images` must be as many as the rows of result {number}, {len(rows)}. "
                f"Received: {len(found)}"
            )
        tiles = [
            Tile(image if isinstance(image, str) else fitting(image), facts=_facts(row))
            for image, row in zip(found, rows, strict=True)
        ]
        is_file = isinstance(query, str | os.PathLike)
        name = Path(query).stem if is_file else f"query {number}"
        facts = [] if rows else ["nobody is", "near enough"]
        drawn.append(RankedRow(fitting(read_images([query])[0]), name, facts, tiles))
    return draw_ranked_rows(drawn)


def _facts(row: Mapping[str, Any]) -> list[str]:
    camera, time = row.get("camera"), row.get("time")
    shown = row.get("person") or (f"camera {camera}" if camera is not None else "")
    return [f"{row['similarity']:.3f}", shown, time.strftime("%m-%d %H:%M") if time else ""]
