"""Retrieval results: ranked lists and CMC curves."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_dictionary, positive_integer
from keras_osnet.data.records import PersonImage
from keras_osnet.data.sampling import evenly_spaced
from keras_osnet.metrics.ranked_lists import ranked_lists
from keras_osnet.metrics.ranking import RankingResult
from keras_osnet.visualize import _sheet
from keras_osnet.visualize._images import fitting, listed_images, read_images
from keras_osnet.visualize._ranked_rows import RankedRow, Tile, draw_ranked_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    """Draw queries and their nearest gallery images, framed as right or wrong.

    Gallery images of the query's identity under its own camera are left out, as in
    `keras_osnet.metrics.evaluate_ranking` (Market-1501's protocol). Correct ones have a green
    frame and a tick, wrong ones a red frame and a cross. Only the files that are drawn are read.
    Beside a query stands the name that its `PersonImage` has, or else its identity.

    Args:
        query_images: Array (num_query, height, width, 3), uint8, RGB; files, `PersonImage`s; or a
            folder.
        gallery_images: The same of the gallery.
        distances: Array (num_query, num_gallery) of real numbers.
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        queries: Indices of the queries to draw. By default up to eight, evenly spaced.
        top: Number of gallery images to draw for each.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If numbers of images, distances and labels do not agree, a distance is NaN, or
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
        listed_images(query_images, "query_images"),
        listed_images(gallery_images, "gallery_images"),
    )
    shape = np.shape(distances)
    if queries is None and len(shape) == 2:
        queries = evenly_spaced(shape[0], 8)
    labels = query_ids, gallery_ids, query_cameras, gallery_cameras
    ranked = ranked_lists(distances, *labels, queries=queries, top_k=None)
    for name, images, length in (
        ("query_images", sides[0], shape[0]),
        ("gallery_images", sides[1], shape[1]),
    ):
        if len(images) != length:
            raise ValueError(
                f"`{name}` must be as many as the distances have, {length}. "
                f"Received: {len(images)} images"
            )
    rows = []
    for found in ranked:
        files = [sides[0][found.query], *(sides[1][each] for each in found.gallery[:top])]
        rows.append([fitting(image) for image in read_images(files)])

    cameras = None if query_cameras is None else np.asarray(query_cameras)
    drawn = []
    for found, (query, *images) in zip(ranked, rows, strict=True):
        name = _name(query_images, found.query) or f"ID {np.asarray(query_ids)[found.query]}"
        matches = int(found.matches.sum())
        facts = [] if cameras is None else [f"camera {cameras[found.query]}"]
        facts.append(f"{matches} match{'es' if matches != 1 else ''}")
        tiles = [
            Tile(image, right=bool(right))
            for image, right in zip(images, found.matches[:top], strict=True)
        ]
        drawn.append(RankedRow(query, name, facts, tiles))
    return draw_ranked_rows(drawn)


def _name(images: Any, index: int) -> str | None:
    """Return the name of a person in a user's folder or table, None if there is none."""
    image = images[index] if isinstance(images, Sequence) else None
    return image.name if isinstance(image, PersonImage) else None


def plot_cmc(results: Mapping[str, RankingResult | ArrayLike], *, max_rank: int = 20) -> "Figure":
    """Draw the CMC curves of several models in one diagram.

    Args:
        results: For each model's name the result of `keras_osnet.metrics.evaluate_ranking`, or
            only a CMC curve: array (ranks,) of shares from 0 to 1, rank-1 first.
        max_rank: Last rank to draw.

    Returns:
        A matplotlib figure with one diagram; see `save_figure`.

    Raises:
        ValueError: If there is no curve, one is of another shape, falls or leaves 0–1, or
            `max_rank` is not positive.
        ImportError: If matplotlib is not installed.

    Example:
        >>> figure = plot_cmc({"osnet_x1_0": [0.6, 0.8, 1.0], "osnet_x0_25": [0.5, 0.7, 0.9]})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['osnet_x1_0: rank-1 60.0', 'osnet_x0_25: rank-1 50.0']
    """
    max_rank = positive_integer("max_rank", max_rank)
    if not results:
        raise ValueError("`results` must hold at least one curve. Received: none")
    check_dictionary("results", results)
    curves = {name: _checked(name, result)[:max_rank] for name, result in results.items()}
    figure = _sheet.sheet(5.4, 3.8)
    plot = _sheet.plain(_sheet.axes(figure, 0.65, 0.2, 4.6, 3.05))
    for index, (name, curve) in enumerate(curves.items()):
        result = results[name]
        label = f"{name}: rank-1 {100 * curve[0]:.1f}"
        if isinstance(result, RankingResult):
            label += f", mAP {100 * result.mean_average_precision:.1f}"
        plot.plot(
            np.arange(1, len(curve) + 1),
            100 * curve,
            label=label,
            color=_sheet.COLORS[index % len(_sheet.COLORS)],
            linestyle=("-", "--", "-.", ":")[index % 4],
            marker="os^Dv"[index % 5],
            markersize=3.5,
            linewidth=1.6,
        )
    longest = max(len(curve) for curve in curves.values())
    plot.set_xlim(0.5, longest + 0.5)
    plot.set_xticks(_ticks(longest))
    lowest = 100 * min(float(curve[0]) for curve in curves.values())
    plot.set_ylim(max(0, 10 * np.floor(lowest / 10 - 0.5)), 101)
    plot.set_xlabel("rank k", fontsize=_sheet.TEXT, color=_sheet.INK)
    label = "queries with a match among the first k (%)"
    plot.set_ylabel(label, fontsize=_sheet.TEXT, color=_sheet.INK)
    _sheet.legend(
        plot,
        plot.lines,
        [str(line.get_label()) for line in plot.lines],
        fontsize=_sheet.SMALL,
        loc="lower right",
        frameon=True,
        edgecolor=_sheet.PALE,
    )
    return figure


def _checked(name: str, result: RankingResult | ArrayLike) -> NDArray[np.float64]:
    values = result.cmc if isinstance(result, RankingResult) else result
    curve = np.asarray(values, np.float64)
    if curve.ndim != 1 or len(curve) == 0:
        raise ValueError(
            f"`results` must hold curves (ranks,). Received: {name!r} of shape {curve.shape}"
        )
    if not ((curve >= 0) & (curve <= 1)).all() or (np.diff(curve) < 0).any():
        raise ValueError(
            "`results` must hold curves of shares from 0 to 1 that do not fall. "
            f"Received: {name!r}, {curve.tolist()[:10]}"
        )
    return curve


def _ticks(longest: int) -> list[int]:
    if longest <= 10:
        return list(range(1, longest + 1))
    step = 5 if longest <= 30 else 10
    return [1, *range(step, longest + 1, step)]
