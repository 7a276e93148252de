"""Distances between the embeddings of queries and those of a gallery."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.evaluation.features import checked_features, checked_shape, scale_to_unit

# The distances of one block of queries to the whole gallery are held in float64 for a moment;
# this bounds that block to 64 MiB, whatever the gallery's size.
_BLOCK_ENTRIES = 8 * 2**20


def pairwise_distances(
    query: ArrayLike,
    gallery: ArrayLike,
    metric: Literal["euclidean", "cosine"] = "euclidean",
) -> NDArray[np.float32]:
    """Distance of every query embedding to every gallery embedding.

    The definitions are those of torchreid (`torchreid.metrics.distance`), so that thresholds and
    tables carry over: "euclidean" is the *squared* Euclidean distance, and "cosine" is one minus
    the cosine similarity, where a vector is divided by `max(norm, 1e-12)` and an all-zero vector
    is therefore at distance 1 from everything.

    Sums are taken in float64 and rounded once. |q|² + |g|² - 2·q·g in float32 loses what the
    large terms cancel: equal vectors of norm 10 come out around ±1e-5 apart, and the order of
    near-duplicates is then noise. Here they come out below 1e-12, and what rounding still leaves
    under zero (or over 2 for "cosine") is clipped, so that a square root can be taken.

    Args:
        query: Array (num_query, dim) of any real dtype.
        gallery: Array (num_gallery, dim) of any real dtype.
        metric: "euclidean" or "cosine".

    Returns:
        Array (num_query, num_gallery), float32; at least 0, for "cosine" at most 2.

    Raises:
        ValueError: If an array is not two-dimensional, is empty, is not made of real numbers or
            holds NaN or infinity; if the two differ in `dim`; if `metric` is unknown; if the
            distances do not fit float32.

    Example:
        >>> pairwise_distances([[0.0, 3.0]], [[4.0, 0.0], [0.0, 1.0]]).tolist()
        [[25.0, 4.0]]
        >>> pairwise_distances([[0.0, 3.0]], [[4.0, 0.0], [0.0, 1.0]], metric="cosine").tolist()
        [[1.0, 0.0]]
    """
    rows = DistanceRows(*checked_sides(query, gallery, metric), metric)
    distances = np.empty(rows.shape, np.float32)
    for part in blocks(rows.shape):
        distances[part] = rows[part]
    return distances


class DistanceRows:
    """A distance matrix of which some rows at a time are worked out, for when it is too large.

    Rows asked for by the parts of `blocks(shape)` are those of `pairwise_distances`, to the last
    bit. In other parts, sums in float64 may go another way and now and then round otherwise.

    Args:
        query: Array (num_query, dim) from `checked_sides`; "cosine" normalises it in place.
        gallery: Array (num_gallery, dim), likewise; it may be the very array that `query` is.
        metric: As for `pairwise_distances`.

    Attributes:
        shape: (num_query, num_gallery).
    """

    def __init__(
        self,
        query: NDArray[np.float64],
        gallery: NDArray[np.float64],
        metric: Literal["euclidean", "cosine"],
    ) -> None:
        self.shape = (len(query), len(gallery))
        self._query, self._gallery = query, gallery
        self._squares = None
        if metric == "cosine":
            scale_to_unit(query)
            if gallery is not query:
                scale_to_unit(gallery)
        else:
            self._squares = tuple(np.einsum("ij,ij->i", side, side) for side in (query, gallery))

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Return the distances of some queries to the whole gallery, in an array of their own.

        Raises:
            ValueError: If they do not fit float32.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # reported below, with a reason
            block = self._query[part] @ self._gallery.T
            if self._squares is None:
                np.subtract(1.0, block, out=block)
                np.clip(block, 0.0, 2.0, out=block)
                return block.astype(np.float32)
            block *= -2.0
            block += self._squares[0][part, None]
            block += self._squares[1]
        np.maximum(block, 0.0, out=block)
        # Also false for NaN, which is what infinity minus infinity gave.
        if not block.max() <= np.finfo(np.float32).max:
            raise ValueError(
                "Squared distances of `query` and `gallery` must fit float32; scale the "
                "features down. Received: largest magnitudes "
                f"{np.abs(self._query).max():.3g} and {np.abs(self._gallery).max():.3g}"
            )
        return block.astype(np.float32)


def blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield the parts in which the rows of a matrix of this shape are worked out, in order."""
    rows = max(1, _BLOCK_ENTRIES // shape[1])
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def checked_sides(
    query: ArrayLike, gallery: ArrayLike, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return copies of both sides' features as float64, checked as `pairwise_distances` says."""
    both, num_query = checked_together(query, gallery, metric)
    return both[:num_query], both[num_query:]


def checked_together(
    query: ArrayLike, gallery: ArrayLike, metric: str
) -> tuple[NDArray[np.float64], int]:
    """Return the copies that `checked_sides` makes as one array, and how many are queries."""
    check_metric(metric)
    q, g = checked_shape(query, "query"), checked_shape(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        raise ValueError(
            "`query` and `gallery` must have the same feature dimension. "
            f"Received: query of shape {q.shape}, gallery of shape {g.shape}"
        )
    both = np.empty((len(q) + len(g), q.shape[1]), np.float64)
    checked_features(q, "query", out=both[: len(q)])
    checked_features(g, "gallery", out=both[len(q) :])
    return both, len(q)


def check_metric(metric: str) -> None:
    """Raise a ValueError unless `metric` is known."""
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f'`metric` must be "euclidean" or "cosine". Received: {metric!r}')
