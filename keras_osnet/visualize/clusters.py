"""Pictures whose streams are weighted alike: clusters of gating vectors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, positive_integer
from keras_osnet.visualize import _sheet
from keras_osnet.visualize._pictures import fitting, listed_pictures, read_pictures
from keras_osnet.visualize._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT, _GAP, _BARS, _LABEL = 1.1, 0.06, 1.0, 0.95
"""Inches: of a picture, between pictures, of the bars of a cluster's centre, of its label."""


@dataclass(frozen=True, eq=False)
class GateClusters:
    """Clusters of pictures by their gating vectors, the largest first.

    Attributes:
        labels: Array (n,), int64: the cluster of each picture, from 0.
        centres: Array (clusters, streams, channels), float32: the mean gating vectors.
        distances: Array (n,), float32: Euclidean distance of each picture's gating vectors, put
            side by side, to the centre of its cluster.
    """

    labels: NDArray[np.int64]
    centres: NDArray[np.float32]
    distances: NDArray[np.float32]

    def nearest(self, cluster: int, count: int = 15) -> NDArray[np.int64]:
        """Return the pictures of a cluster that are nearest to its centre, nearest first.

        Args:
            cluster: Which one, from 0.
            count: How many at most.
        """
        members = np.flatnonzero(self.labels == cluster)
        return members[np.argsort(self.distances[members], kind="stable")][:count]


def gate_clusters(gates: ArrayLike, clusters: int = 8, *, seed: int = 0) -> GateClusters:
    """Cluster pictures by their gating vectors with k-means (paper, Fig. 5).

    A picture's vectors, one a stream, are put side by side. Which scales a block mixes, and how,
    differs from picture to picture; in one cluster are those for which it does alike.

    Args:
        gates: Array (n, streams, channels), real: the gating vectors of one block, in the paper the
            last one's; see `intermediates` (`conv4_block2_gates`).
        clusters: How many clusters, at most n.
        seed: Of the centres that k-means starts from.

    Returns:
        A `GateClusters`.

    Raises:
        ValueError: If the shape is another, a number is NaN or infinite, or there are fewer
            different pictures than clusters.
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
            f"`clusters` must be at most the number of different pictures, {different}. "
            f"Received: {clusters}"
        )
    cluster = require("sklearn.cluster", "Clustering")
    found = cluster.KMeans(clusters, n_init=10, random_state=seed).fit(vectors)
    order = np.argsort(-np.bincount(found.labels_, minlength=clusters), kind="stable")
    labels = np.argsort(order)[found.labels_]
    centres = found.cluster_centers_[order]
    return GateClusters(
        labels=labels.astype(np.int64),
        centres=centres.reshape(clusters, *values.shape[1:]).astype(np.float32),
        distances=np.linalg.norm(vectors - centres[labels], axis=1).astype(np.float32),
    )


def plot_gate_clusters(images: Any, clusters: GateClusters, *, top: int = 15) -> "Figure":
    """Draw the pictures nearest to the centre of each cluster, nearest first (paper, Fig. 5).

    On the left is how much wider, or less wide, the centre's gates are open than those of all
    pictures: for each stream, the difference between the means of its gating vectors.

    Args:
        images: The pictures that `gate_clusters` had the vectors of, in the same order: array
            (n, height, width, 3), uint8, RGB; files; or a folder.
        clusters: What it returned.
        top: How many pictures of each cluster.

    Returns:
        A matplotlib figure; see `save_figure`.

    Raises:
        ValueError: If the numbers of pictures differ, or `top` is not positive.
        ImageReadError: If files cannot be read.
        ImportError: If matplotlib is not installed.
    """
    top = positive_integer("top", top)
    listed = listed_pictures(images)
    if len(listed) != len(clusters.labels):
        raise ValueError(
            f"`images` must be the {len(clusters.labels)} pictures that were clustered. "
            f"Received: {len(listed)} pictures"
        )
    rows = []
    for cluster in range(len(clusters.centres)):
        nearest = clusters.nearest(cluster, top)
        rows.append([fitting(each) for each in read_pictures([listed[i] for i in nearest])])
    longest = max(len(row) for row in rows)
    width = _sheet.tile_width([picture for row in rows for picture in row], _HEIGHT)
    first = _sheet.MARGIN + _LABEL + _BARS + 0.2
    header = 0.3
    figure = _sheet.sheet(
        first + longest * (width + _GAP) - _GAP + _sheet.MARGIN,
        2 * _sheet.MARGIN + header + len(rows) * (_HEIGHT + 2 * _GAP) + 0.15,
    )
    above = {"fontsize": _sheet.SMALL, "color": _sheet.GREY}
    middle = _sheet.MARGIN + header / 2 - 0.03
    _sheet.write(figure, _sheet.MARGIN + _LABEL + _BARS / 2, middle, "gates, against all", **above)
    _sheet.write(figure, first, middle, "nearest to the centre first", ha="left", **above)
    deviations = _deviations(clusters)
    limit = max(1.1 * float(np.abs(deviations).max()), 1e-3)
    for cluster, row in enumerate(rows):
        y = _sheet.MARGIN + header + cluster * (_HEIGHT + 2 * _GAP)
        members = int(np.count_nonzero(clusters.labels == cluster))
        label = f"cluster {cluster + 1}"
        _sheet.write(figure, _sheet.MARGIN, y + _HEIGHT / 2 - 0.09, label, ha="left", weight="bold")
        count = f"{members:,} picture{'s' if members != 1 else ''}"
        _sheet.write(figure, _sheet.MARGIN, y + _HEIGHT / 2 + 0.09, count, ha="left", **above)
        place = _sheet.MARGIN + _LABEL, y
        bars = _draw_bars(figure, place, deviations[cluster])
        # One tick on either side of 0: more would run into each other.
        tick = float(f"{0.7 * limit:.1g}")
        bars.set(xlim=(-limit, limit), xticks=(-tick, tick))
        if cluster < len(rows) - 1:
            bars.set_xticklabels([])
        for column, picture in enumerate(row):
            _sheet.picture_axes(
                figure, (first + column * (width + _GAP), y), (width, _HEIGHT), picture
            )
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
    """Array (clusters, streams): mean gates of each cluster's centre less those of all pictures."""
    members = np.bincount(clusters.labels, minlength=len(clusters.centres))
    means = clusters.centres.mean(axis=2)
    return means - np.average(means, axis=0, weights=members)


def _draw_bars(figure: "Figure", place: tuple[float, float], values: NDArray) -> "Axes":
    x, y = place
    bars = _sheet.plain(_sheet.axes(figure, x + 0.12, y, _BARS - 0.12, _HEIGHT))
    streams = np.arange(1, len(values) + 1)
    bars.barh(streams, values, color=_sheet.stream_colours(len(values)), height=0.7)
    bars.axvline(0, color=_sheet.GREY, linewidth=0.8)
    bars.spines["left"].set_visible(False)
    bars.set(ylim=(len(values) + 0.5, 0.5), yticks=streams)
    bars.grid(False, axis="y")
    bars.tick_params(length=0)
    return bars
