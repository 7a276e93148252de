"""Embeddings as points in the plane."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.optional import require
from keras_osnet._utils.text import drawable
from keras_osnet.metrics.distances import check_metric
from keras_osnet.metrics.features import checked_features
from keras_osnet.visualize import _sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "os^Dv"
_NAME = 1.5
"""Width of a name at most, in inches."""

_MOST_NAMES = 80
"""Names of more identities than this are not drawn: they would overlap."""


def project_embeddings(
    vectors: ArrayLike,
    *,
    metric: Literal["cosine", "euclidean"] = "cosine",
    perplexity: float = 30.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Project embeddings to the plane with t-SNE, which keeps neighbors together.

    Distances between groups and sizes of groups carry little meaning (van der Maaten and Hinton,
    2008).

    Args:
        vectors: Array (n, dim), real, at least three of them.
        metric: Distance between embeddings.
        perplexity: Approximate number of neighbors considered; lowered to a third of the images.
        seed: Seed of the optimization.

    Returns:
        Array (n, 2), float32.

    Raises:
        ValueError: If there are fewer than three embeddings, a number is NaN or infinite, or an
            argument is wrong.
        ImportError: If scikit-learn is not installed.
    """
    check_metric(metric)
    values = checked_features(vectors, "vectors")
    if len(values) < 3:
        raise ValueError(f"`vectors` must be at least three. Received: {len(values)}")
    if not perplexity > 0:
        raise ValueError(f"`perplexity` must be above 0. Received: {perplexity!r}")
    manifold = require("sklearn.manifold", "t-SNE", extra="visualize")
    tsne = manifold.TSNE(
        perplexity=min(perplexity, (len(values) - 1) / 3),
        metric=metric,
        # Principal components need two dimensions to begin with.
        init="pca" if values.shape[1] > 1 else "random",
        random_state=seed,
    )
    return tsne.fit_transform(np.asarray(values, np.float32))


def plot_embeddings(points: ArrayLike, identities: ArrayLike) -> "Figure":
    """Draw embeddings as points with a color, a marker and a label for each identity.

    Args:
        points: Array (n, 2), as `project_embeddings` returns it.
        identities: Identity of each image, (n,), integers or strings.

    Returns:
        A matplotlib figure with one diagram; see `save_figure`.

    Raises:
        ValueError: If shapes do not agree or a number is NaN or infinite.
        ImportError: If matplotlib is not installed.

    Example:
        >>> figure = plot_embeddings([[0, 0], [0, 1], [5, 5]], ["ann", "ann", "bob"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['ann', 'bob']
    """
    places, names = np.asarray(points, np.float64), np.asarray(identities)
    if places.ndim != 2 or places.shape[1] != 2 or len(places) == 0:
        raise ValueError(f"`points` must be an array (n, 2). Received: shape {places.shape}")
    if not np.isfinite(places).all():
        raise ValueError("`points` must be finite. Received: NaN or infinity")
    if names.shape != (len(places),):
        raise ValueError(
            f"`identities` must have shape ({len(places)},), one per point. "
            f"Received: shape {names.shape}"
        )
    figure = _sheet.sheet(6.0, 6.0)
    plot = _sheet.axes(figure, 0.1, 0.1, 5.8, 5.8)
    plot.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    plot.spines[:].set_color(_sheet.PALE)
    different = np.unique(names)
    for index, name in enumerate(different):
        own = places[names == name]
        color = _sheet.COLORS[index % len(_sheet.COLORS)]
        plot.scatter(
            *own.T,
            s=22,
            color=color,
            marker=_MARKERS[index // len(_sheet.COLORS) % len(_MARKERS)],
            edgecolors="white",
            linewidths=0.4,
        )
    if len(different) <= _MOST_NAMES:
        _write_names(plot, places, names)
    return figure


def _write_names(plot: Any, places: NDArray, names: NDArray) -> None:
    from matplotlib.patheffects import withStroke

    for index, name in enumerate(np.unique(names)):
        own = places[names == name]
        # At the medoid: the mean of the points may lie away from all of them.
        spread = np.linalg.norm(own[:, None] - own, axis=-1).sum(axis=1)
        plot.annotate(
            drawable(_sheet.shortened(str(name), _NAME, _sheet.SMALL)),
            own[spread.argmin()],
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=_sheet.SMALL,
            color=_sheet.COLORS[index % len(_sheet.COLORS)],
            weight="bold",
            **_sheet.as_it_is(),
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
