"""Distances between the embeddings of queries and those of a gallery."""

from collections.abc import Iterator
from typing import Literal

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

# The distances of some queries to the whole gallery are one block of at most 256 MiB in float32.
# For every block the gallery is turned into float64 anew, so that small blocks do not pay. Of a
# very large gallery a block is therefore larger: with 512 numbers an image, a quarter of what the
# gallery itself has in float32.
_BLOCK_ENTRIES = 2**26
_FEWEST_ROWS = 128
_MOST_ROWS = 2048  # The queries of a block are in float64, too.


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
        rows.write(part, distances[part])
    return distances


class DistanceRows:
    """A distance matrix of which some rows at a time are worked out, for when it is too large.

    Rows asked for by the parts of `blocks(shape)` are those of `pairwise_distances`, to the last
    bit. In other parts, sums in float64 may go another way and now and then round otherwise.

    The features stay as they are. They are turned into float64 some at a time, as a copy of all
    might not fit the memory.

    Args:
        query: Array (num_query, dim) from `checked_sides`.
        gallery: Array (num_gallery, dim), likewise.
        metric: As for `pairwise_distances`.

    Attributes:
        shape: (num_query, num_gallery).
    """

    def __init__(
        self, query: NDArray, gallery: NDArray, metric: Literal["euclidean", "cosine"]
    ) -> None:
        self.shape = (len(query), len(gallery))
        self._query, self._gallery = query, gallery
        self._cosine = metric == "cosine"
        # One number an image: what scales it to unit length, or its squared length.
        of_rows = unit_scales if self._cosine else _squares
        self._of_query, self._of_gallery = (
            np.concatenate([of_rows(as_float64(side[part])) for part in row_parts(side)])
            for side in (query, gallery)
        )

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Return the distances of some queries to the whole gallery, in an array of their own.

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
        # Memory that is used over and over, as fresh memory costs as much time as the arithmetic.
        gallery = np.empty((min(PART_ROWS, self.shape[1]), query.shape[1]))
        sums = np.empty((len(query), len(gallery)))
        with np.errstate(over="ignore", invalid="ignore"):  # reported below, with a reason
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
        # Also false for NaN, which is what infinity minus infinity gave.
        if not (self._cosine or rows.max() < np.inf):
            sides = self._query, self._gallery
            largest = [max(float(side.max()), -float(side.min())) for side in sides]
            raise ValueError(
                "Squared distances of `query` and `gallery` must fit float32; scale the "
                "features down. Received: largest magnitudes "
                f"{largest[0]:.3g} and {largest[1]:.3g}"
            )


def blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield the parts in which the rows of a matrix of this shape are worked out, in order."""
    rows = min(max(_BLOCK_ENTRIES // shape[1], _FEWEST_ROWS), _MOST_ROWS)
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def checked_sides(query: ArrayLike, gallery: ArrayLike, metric: str) -> tuple[NDArray, NDArray]:
    """Return both sides' features as arrays, checked as `pairwise_distances` says."""
    check_metric(metric)
    q, g = checked_shape(query, "query"), checked_shape(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        raise ValueError(
            "`query` and `gallery` must have the same feature dimension. "
            f"Received: query of shape {q.shape}, gallery of shape {g.shape}"
        )
    return checked_numbers(q, "query"), checked_numbers(g, "gallery")


def check_metric(metric: str) -> None:
    """Raise a ValueError unless `metric` is known."""
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f'`metric` must be "euclidean" or "cosine". Received: {metric!r}')


def _squares(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The squared length of every row, in a column."""
    return np.einsum("ij,ij->i", features, features)[:, None]
