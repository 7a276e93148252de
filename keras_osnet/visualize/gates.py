"""Gating vectors over images: statistics of each stream, and clusters of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, positive_integer
from keras_osnet._utils.optional import require
from keras_osnet.visualize import _sheet
from keras_osnet.visualize._images import fitting, listed_images, read_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)

_WIDTH, _HEIGHT, _BETWEEN, _HEADER = 1.9, 1.7, 0.3, 0.3
"""Inches: of a diagram, between diagrams, of its title."""

_ROW, _GAP, _BARS, _LABEL = 1.1, 0.06, 1.0, 0.95
"""Inches: of an image, between images, of the bars of a cluster's center, of its label."""


@dataclass(frozen=True, eq=False)
class GateStatistics:
    """Distribution of gating values over images and channels, for each stream of a block.

    Attributes:
        mean: Array (streams,), float64.
        std: Array (streams,), float64, the standard deviation.
        quantiles: Array (streams, 5), float64: the 5th, 25th, 50th, 75th and 95th percentiles.
        between_images: Array (streams,), float64: standard deviation over the images of each
            channel's gate, averaged over channels; 0 for a gate that does not depend on the image.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    between_images: NDArray[np.float64]


def gate_statistics(gates: ArrayLike) -> GateStatistics:
    """Summarize a block's gating vectors (paper, section 3.2) over images.

    Args:
        gates: Array (n, streams, channels), real; see `feature_maps`.

    Raises:
        ValueError: If the shape is another, or a number is NaN or infinite.

    Example:
        >>> found = gate_statistics([[[0.2, 0.4], [1.0, 1.0]], [[0.2, 0.4], [0.0, 0.0]]])
        >>> found.mean.round(2).tolist(), found.between_images.tolist()
        ([0.3, 0.5], [0.0, 0.5])
    """
    values = checked_gates(gates)
    by_stream = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
    return GateStatistics(
        mean=by_stream.mean(axis=1),
        std=by_stream.std(axis=1),
        quantiles=np.quantile(by_stream, _SHARES, axis=1).T,
        between_images=values.std(axis=0).mean(axis=1),
    )


def plot_gate_statistics(gates: Mapping[str, ArrayLike]) -> "Figure":
    """Draw the distribution of the gating values of each stream, one diagram per block.

    A box reaches from the 25th to the 75th percentile of the gating values over images and
    channels, its whiskers from the 5th to the 95th; the line is the median, the diamond the mean.

    Args:
        gates: For each block's name an array (n, streams, channels), in the order of the network,
            as `feature_maps(model, images, gate_names(model))` returns them.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If there is no block, or as for `gate_statistics`.
        ImportError: If matplotlib is not installed.

    Example:
        >>> gates = np.random.default_rng(0).random((5, 4, 8))
        >>> [plot.get_title() for plot in plot_gate_statistics({"conv2_block1_gates": gates}).axes]
        ['conv2_block1']
    """
    if not gates:
        raise ValueError("`gates` must hold at least one block's gating vectors. Received: none")
    statistics = {name: gate_statistics(values) for name, values in gates.items()}
    columns = min(len(statistics), 2 if len(statistics) == 4 else 3)
    rows = -(-len(statistics) // columns)
    left, below = 0.55, 0.5
    step = _HEIGHT + _HEADER + 0.25
    figure = _sheet.sheet(
        left + columns * (_WIDTH + _BETWEEN) - _BETWEEN + 2 * _sheet.MARGIN,
        _sheet.MARGIN + rows * step - 0.25 + below,
    )
    for index, (name, found) in enumerate(statistics.items()):
        row, column = divmod(index, columns)
        x, y = left + column * (_WIDTH + _BETWEEN), _sheet.MARGIN + _HEADER + row * step
        plot = _sheet.plain(_sheet.axes(figure, x, y, _WIDTH, _HEIGHT))
        _draw_boxes(plot, found)
        _sheet.title(plot, name.removesuffix("_gates"), _WIDTH)
        if column == 0:
            plot.set_ylabel("gate", fontsize=_sheet.TEXT, color=_sheet.INK)
        else:
            plot.set_yticklabels([])
        if index + columns >= len(statistics):
            plot.set_xlabel("stream", fontsize=_sheet.TEXT, color=_sheet.INK)
    return figure


def _draw_boxes(plot: Any, statistics: GateStatistics) -> None:
    streams = len(statistics.mean)
    boxes = [
        {"whislo": low, "q1": q1, "med": median, "q3": q3, "whishi": high, "mean": mean}
        for (low, q1, median, q3, high), mean in zip(
            statistics.quantiles, statistics.mean, strict=True
        )
    ]
    drawn = plot.bxp(
        boxes,
        showfliers=False,
        showmeans=True,
        widths=0.6,
        patch_artist=True,
        medianprops={"color": _sheet.INK, "linewidth": 1.2},
        whiskerprops={"color": _sheet.GRAY},
        capprops={"color": _sheet.GRAY},
        meanprops={
            "marker": "D",
            "markersize": 4,
            "markerfacecolor": "white",
            "markeredgecolor": _sheet.INK,
        },
    )
    for box, color in zip(drawn["boxes"], _sheet.stream_colors(streams), strict=True):
        box.set(facecolor=color, edgecolor=_sheet.INK, linewidth=0.8)
    plot.set(ylim=(-0.03, 1.03), xticks=range(1, streams + 1), xticklabels=range(1, streams + 1))
    plot.grid(False, axis="x")


@dataclass(frozen=True, eq=False)
class GateClusters:
    """Clusters of images by their gating vectors, the largest first.

    Attributes:
        labels: Array (n,), int64: the cluster of each image, from 0.
        centers: Array (clusters, streams, channels), float32: the mean gating vectors.
        distances: Array (n,), float32: Euclidean distance of each image's concatenated gating
            vectors to the center of its cluster.
    """

    labels: NDArray[np.int64]
    centers: NDArray[np.float32]
    distances: NDArray[np.float32]

    def nearest(self, cluster: int, count: int = 15) -> NDArray[np.int64]:
        """Return the images of a cluster that are nearest to its center, nearest first.

        Args:
            cluster: Index of the cluster, from 0.
            count: Maximum number of images.
        """
        members = np.flatnonzero(self.labels == cluster)
        return members[np.argsort(self.distances[members], kind="stable")][:count]


def gate_clusters(gates: ArrayLike, clusters: int = 8, *, seed: int = 0) -> GateClusters:
    """Cluster images by their gating vectors with k-means (paper, Fig. 5).

    An image's vectors, one per stream, are concatenated. How a block mixes scales differs from
    image to image; the images of a cluster are mixed alike.

    Args:
        gates: Array (n, streams, channels), real: the gating vectors of one block, in the paper the
            last one's; see `feature_maps` (`conv4_block2_gates`).
        clusters: Number of clusters, at most n.
        seed: Seed of the initial centers.

    Returns:
        A `GateClusters`.

    Raises:
        ValueError: If the shape is another, a number is NaN or infinite, or there are fewer
            different images than clusters.
        ImportError: If scikit-learn is not installed.

    Example:
        >>> gates = np.repeat([0.1, 0.9, 0.2], [4, 2, 1])[:, None, None] * np.ones((1, 4, 8))
        >>> found = gate_clusters(gates, 2)
        >>> found.labels.tolist(), found.nearest(1).tolist()
        ([0, 0, 0, 0, 1, 1, 0], [4, 5])
    """
    values = checked_gates(gates)
    check_whole(1, clusters=clusters)
    vectors = values.reshape(len(values), -1)
    different = len(np.unique(vectors, axis=0))
    if different < clusters:
        raise ValueError(
            f"`clusters` must be at most the number of different images, {different}. "
            f"Received: {clusters}"
        )
    cluster = require("sklearn.cluster", "Clustering", extra="visualize")
    found = cluster.KMeans(clusters, n_init=10, random_state=seed).fit(vectors)
    order = np.argsort(-np.bincount(found.labels_, minlength=clusters), kind="stable")
    labels = np.argsort(order)[found.labels_]
    centers = found.cluster_centers_[order]
    return GateClusters(
        labels=labels.astype(np.int64),
        centers=centers.reshape(clusters, *values.shape[1:]).astype(np.float32),
        distances=np.linalg.norm(vectors - centers[labels], axis=1).astype(np.float32),
    )


def plot_gate_clusters(images: Any, clusters: GateClusters, *, top: int = 15) -> "Figure":
    """Draw the images nearest to the center of each cluster, nearest first (paper, Fig. 5).

    The bars on the left show, for each stream, the mean gating value of the cluster's center minus
    that of all images.

    Args:
        images: The images that were clustered, in the same order: array
            (n, height, width, 3), uint8, RGB; files; or a folder.
        clusters: As returned by `gate_clusters`.
        top: Number of images of each cluster.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If the numbers of images differ, or `top` is not positive.
        ImageReadError: If files cannot be read.
        ImportError: If matplotlib is not installed.
    """
    top = positive_integer("top", top)
    listed = listed_images(images)
    if len(listed) != len(clusters.labels):
        raise ValueError(
            f"`images` must be the {len(clusters.labels)} images that were clustered. "
            f"Received: {len(listed)} images"
        )
    rows = []
    for cluster in range(len(clusters.centers)):
        nearest = clusters.nearest(cluster, top)
        rows.append([fitting(each) for each in read_images([listed[i] for i in nearest])])
    longest = max(len(row) for row in rows)
    width = _sheet.tile_width([image for row in rows for image in row], _ROW)
    first = _sheet.MARGIN + _LABEL + _BARS + 0.2
    header = 0.3
    figure = _sheet.sheet(
        first + longest * (width + _GAP) - _GAP + _sheet.MARGIN,
        2 * _sheet.MARGIN + header + len(rows) * (_ROW + 2 * _GAP) + 0.15,
    )
    above = {"fontsize": _sheet.SMALL, "color": _sheet.GRAY}
    middle = _sheet.MARGIN + header / 2 - 0.03
    _sheet.write(figure, _sheet.MARGIN + _LABEL + _BARS / 2, middle, "gates, against all", **above)
    _sheet.write(figure, first, middle, "nearest to the center first", ha="left", **above)
    deviations = _deviations(clusters)
    limit = max(1.1 * float(np.abs(deviations).max()), 1e-3)
    for cluster, row in enumerate(rows):
        y = _sheet.MARGIN + header + cluster * (_ROW + 2 * _GAP)
        members = int(np.count_nonzero(clusters.labels == cluster))
        label = f"cluster {cluster + 1}"
        _sheet.write(figure, _sheet.MARGIN, y + _ROW / 2 - 0.09, label, ha="left", weight="bold")
        count = f"{members:,} image{'s' if members != 1 else ''}"
        _sheet.write(figure, _sheet.MARGIN, y + _ROW / 2 + 0.09, count, ha="left", **above)
        place = _sheet.MARGIN + _LABEL, y
        bars = _draw_bars(figure, place, deviations[cluster])
        # One tick on either side of 0: more would overlap.
        tick = float(f"{0.7 * limit:.1g}")
        bars.set(xlim=(-limit, limit), xticks=(-tick, tick))
        if cluster < len(rows) - 1:
            bars.set_xticklabels([])
        for column, image in enumerate(row):
            _sheet.image_axes(figure, (first + column * (width + _GAP), y), (width, _ROW), image)
    return figure


def checked_gates(gates: ArrayLike, name: str = "gates") -> NDArray[np.float64]:
    """Return gating vectors as an array, or raise a ValueError naming the argument."""
    values = np.asarray(gates)
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(
            f"`{name}` must be an array (n, streams, channels). Received: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"`{name}` must be finite. Received: NaN or infinity")
    return values.astype(np.float64)


def _deviations(clusters: GateClusters) -> NDArray:
    """Return mean gating values of the centers minus those of all images, (clusters, streams)."""
    members = np.bincount(clusters.labels, minlength=len(clusters.centers))
    means = clusters.centers.mean(axis=2)
    return means - np.average(means, axis=0, weights=members)


def _draw_bars(figure: "Figure", place: tuple[float, float], values: NDArray) -> "Axes":
    x, y = place
    bars = _sheet.plain(_sheet.axes(figure, x + 0.12, y, _BARS - 0.12, _ROW))
    streams = np.arange(1, len(values) + 1)
    bars.barh(streams, values, color=_sheet.stream_colors(len(values)), height=0.7)
    bars.axvline(0, color=_sheet.GRAY, linewidth=0.8)
    bars.spines["left"].set_visible(False)
    bars.set(ylim=(len(values) + 0.5, 0.5), yticks=streams)
    bars.grid(False, axis="y")
    bars.tick_params(length=0)
    return bars
