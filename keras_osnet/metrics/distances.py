"""Pairwise distances between query and gallery embeddings."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.metrics.features import (
    PART_ROWS,
    as_float64,
    checked_numbers,
    checked_shape,
    row_parts,
    unit_scales,
)

Metric = Literal["cosine", "euclidean"]
"""The distances between embeddings; cosine is the default everywhere."""

# A block holds the distances of some queries to the whole gallery, at most 256 MiB in float32. The
# gallery is converted to float64 once per block, so blocks have a minimum of rows: for a very large
# gallery of 512-d embeddings a block is a quarter of the gallery's own float32 size.
_BLOCK_ENTRIES = 2**26
_MIN_ROWS = 128
_MAX_ROWS = 2048  # The queries of a block are converted to float64 too.


def pairwise_distances(
    query: ArrayLike,
    gallery: ArrayLike,
    metric: Metric = "cosine",
) -> NDArray[np.float32]:
    """Return the distance of every query embedding to every gallery embedding.

    The definitions are those of torchreid (`torchreid.metrics.distance`), so that thresholds and
    tables carry over: "euclidean" is the *squared* Euclidean distance, and "cosine" is one minus
    the cosine similarity, where a vector is divided by `max(norm, 1e-12)` and an all-zero vector
    is therefore at distance 1 from everything.

    Sums are accumulated in float64 and rounded once. In float32, |q|² + |g|² - 2·q·g suffers from
    cancellation: equal vectors of norm 10 have distances around ±1e-5, and the order of
    near-duplicates is noise. Here these are below 1e-12, and values that rounding leaves below
    zero (or above 2 for "cosine") are clipped, so that a square root can be taken.

    Args:
        query: Array (num_query, dim) of any real dtype.
        gallery: Array (num_gallery, dim) of any real dtype.
        metric: "cosine" or "euclidean".

    Returns:
        Array (num_query, num_gallery), float32; at least 0, for "cosine" at most 2.

    Raises:
        ValueError: If an array is not two-dimensional, is empty, is not made of real numbers or
            holds NaN or infinity; if the two differ in `dim`; if `metric` is unknown; if the
            distances do not fit float32.

    Example:
        >>> pairwise_distances([[0.0, 3.0]], [[4.0, 0.0], [0.0, 1.0]]).tolist()
        [[1.0, 0.0]]
        >>> pairwise_distances([[0.0, 3.0]], [[4.0, 0.0], [0.0, 1.0]], metric="euclidean").tolist()
        [[25.0, 4.0]]
    """
    rows = DistanceRows(*checked_sides(query, gallery, metric), metric)
    distances = np.empty(rows.shape, np.float32)
    for part in blocks(rows.shape):
        rows.write(part, distances[part])
    return distances


class DistanceRows:
    """A distance matrix that is computed some rows at a time, for when it is too large.

    Rows requested by the slices of `blocks(shape)` equal those of `pairwise_distances` bit by bit.
    With other slices, float64 sums may be accumulated in another order and round differently.

    The features are converted to float64 in parts, because a copy of all might not fit in memory.

    Args:
        query: Array (num_query, dim) from `checked_sides`.
        gallery: Array (num_gallery, dim), likewise.
        metric: As for `pairwise_distances`.

    Attributes:
        shape: (num_query, num_gallery).
    """

    def __init__(self, query: NDArray, gallery: NDArray, metric: Metric) -> None:
        self.shape = (len(query), len(gallery))
        self._query, self._gallery = query, gallery
        self._cosine = metric == "cosine"
        # One number per image: the factor to unit length, or the squared length.
        of_rows = unit_scales if self._cosine else _squares
        self._of_query, self._of_gallery = (
            np.concatenate([of_rows(as_float64(side[part])) for part in row_parts(side)])
            for side in (query, gallery)
        )

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Return the distances of some queries to the whole gallery as a new array.

        Raises:
            ValueError: If they do not fit float32.
        """
        rows = np.empty((len(self._query[part]), self.shape[1]), np.float32)
        self.write(part, rows)
        return rows

    def write(self, part: slice, rows: NDArray[np.float32]) -> None:
        """Write the distances of some queries to the whole gallery into an array.

        Raises:
            ValueError: If they do not fit float32.
        """
        query = self._query[part].astype(np.float64)
        # Reused buffers: allocating memory takes as long as the arithmetic.
        gallery = np.empty((min(PART_ROWS, self.shape[1]), query.shape[1]))
        sums = np.empty((len(query), len(gallery)))
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            query *= -self._of_query[part] if self._cosine else -2.0
            for images in row_parts(self._gallery):
                g = gallery[: images.stop - images.start]
                block = sums[:, : len(g)]
                g[...] = self._gallery[images]
                if self._cosine:
                    g *= self._of_gallery[images]
                    np.matmul(query, g.T, out=block)
                    block += 1.0
                    np.clip(block, 0.0, 2.0, out=block)
                else:
                    np.matmul(query, g.T, out=block)
                    block += self._of_query[part]
                    block += self._of_gallery[images].T
                    np.maximum(block, 0.0, out=block)
                rows[:, images] = block
        # Also false for NaN, which infinity minus infinity gives.
        if not (self._cosine or rows.max() < np.inf):
            sides = self._query, self._gallery
            largest = [max(float(side.max()), -float(side.min())) for side in sides]
            raise ValueError(
                "Squared distances of `query` and `gallery` must fit float32; scale the "
                "features down. Received: largest magnitudes "
                f"{largest[0]:.3g} and {largest[1]:.3g}"
            )


def blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield the slices of rows in which a matrix of this shape is computed, in order."""
    rows = min(max(_BLOCK_ENTRIES // shape[1], _MIN_ROWS), _MAX_ROWS)
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def distance_blocks(rows: DistanceRows) -> Iterator[NDArray[np.float32]]:
    """Yield a distance matrix in blocks of rows; the next block reuses the memory of the last."""
    memory: NDArray[np.float32] | None = None
    for part in blocks(rows.shape):
        if memory is None:  # The first block is the largest.
            memory = np.empty((part.stop, rows.shape[1]), np.float32)
        block = memory[: part.stop - part.start]
        rows.write(part, block)
        yield block


def checked_sides(query: ArrayLike, gallery: ArrayLike, metric: str) -> tuple[NDArray, NDArray]:
    """Return the features of both sides as arrays, checked as in `pairwise_distances`."""
    check_metric(metric)
    q, g = checked_shape(query, "query"), checked_shape(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        raise ValueError(
            "`query` and `gallery` must have the same feature dimension. "
            f"Received: query of shape {q.shape}, gallery of shape {g.shape}"
        )
    return checked_numbers(q, "query"), checked_numbers(g, "gallery")


def check_metric(metric: str) -> None:
    """Raise ValueError unless `metric` is known."""
    if not isinstance(metric, str) or metric not in get_args(Metric):
        raise ValueError(f'`metric` must be "cosine" or "euclidean". Received: {metric!r}')


def _squares(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared length of every row as a column."""
    return np.einsum("ij,ij->i", features, features)[:, None]
