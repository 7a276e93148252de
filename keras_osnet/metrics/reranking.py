"""Re-ranking a gallery by k-reciprocal encoding (Zhong et al., CVPR 2017)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, number
from keras_osnet.metrics.distances import DistanceRows, Metric, blocks, checked_sides
from keras_osnet.metrics.features import checked_numbers

K1 = 20
"""Number of neighbors that encode an image, in the paper and in torchreid."""

Rows: TypeAlias = "DistanceRows | _MatrixRows"
"""The distances between all images (queries, then gallery), some rows at a time."""


def k_reciprocal_rerank(
    query_gallery: ArrayLike,
    query_query: ArrayLike,
    gallery_gallery: ArrayLike,
    k1: int = K1,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> NDArray[np.float32]:
    """Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017), from distance matrices.

    Two images are k-reciprocal neighbors if each is among the k nearest of the other. An image
    is encoded by its k-reciprocal neighbors (k = `k1`), with those of its neighbors that share
    two thirds of theirs with it (k = `k1` / 2, section 3.2), weighted by exp(-distance) and
    averaged over its `k2` nearest (section 3.4); codes are compared by their Jaccard distance
    (section 3.3), and the result is (1 - λ) · Jaccard distance + λ · original distance.

    As in torchreid (`torchreid.utils.re_ranking`) and in the authors' own code, the distances
    given are squared and divided by the largest of each image: "euclidean" distances of
    `pairwise_distances`, which are squared already, enter with their fourth power. Ties, whose
    order is undefined there, are broken by image index, queries first.

    Beyond the arguments and the result, memory is linear in the number of images.
    `rerank_features` does not need the matrices either.

    Args:
        query_gallery: Distances (num_query, num_gallery) of any real dtype, used as float32.
        query_query: Distances (num_query, num_query) among the queries.
        gallery_gallery: Distances (num_gallery, num_gallery) among the gallery images.
        k1: Number of neighbors that make the code; at least 1.
        k2: Number of neighbors whose codes are averaged; at least 1, which averages nothing.
        lambda_value: Share λ of the original distance, from 0 to 1.

    Returns:
        Array (num_query, num_gallery), float32, from 0 to 1; smaller is more similar.

    Raises:
        ValueError: If shapes do not agree, a distance or its square is not finite in float32, or
            a parameter is out of its range.

    Example:
        >>> from keras_osnet.metrics import pairwise_distances
        >>> query, gallery = [[0.0], [9.0]], [[1.0], [2.0], [8.0], [10.0]]
        >>> reranked = k_reciprocal_rerank(
        ...     pairwise_distances(query, gallery, metric="euclidean"),
        ...     pairwise_distances(query, query, metric="euclidean"),
        ...     pairwise_distances(gallery, gallery, metric="euclidean"),
        ...     k1=2,
        ...     k2=1,
        ... )
        >>> print(reranked.round(2))
        [[0.   0.   0.82 1.  ]
         [0.89 0.81 0.   0.  ]]
    """
    rows = _MatrixRows(query_gallery, query_query, gallery_gallery)
    return _filled(rows, rows.num_query, k1, k2, lambda_value)


def rerank_features(
    query: ArrayLike,
    gallery: ArrayLike,
    metric: Metric = "cosine",
    k1: int = K1,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> NDArray[np.float32]:
    """Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017), from embeddings.

    The result is that of `k_reciprocal_rerank` on the three matrices of `pairwise_distances`,
    which are computed some rows at a time: beyond the embeddings and the result, memory is linear
    in the number of images.

    Args:
        query: Array (num_query, dim) of any real dtype.
        gallery: Array (num_gallery, dim) of any real dtype.
        metric: "euclidean" or "cosine"; see `pairwise_distances`.
        k1: As for `k_reciprocal_rerank`.
        k2: As for `k_reciprocal_rerank`.
        lambda_value: As for `k_reciprocal_rerank`.

    Returns:
        Array (num_query, num_gallery), float32, from 0 to 1; smaller is more similar.

    Raises:
        ValueError: As for `pairwise_distances` and `k_reciprocal_rerank`.

    Example:
        >>> query, gallery = [[0.0], [9.0]], [[1.0], [2.0], [8.0], [10.0]]
        >>> print(rerank_features(query, gallery, "euclidean", k1=2, k2=1).round(2))
        [[0.   0.   0.82 1.  ]
         [0.89 0.81 0.   0.  ]]
    """
    sides = checked_sides(query, gallery, metric)
    return _filled(rows_of_all(*sides, metric), len(sides[0]), k1, k2, lambda_value)


@dataclass(frozen=True, eq=False)
class _SparseRows:
    """A sparse matrix by rows (CSR), with the operations that re-ranking needs.

    Written here so that SciPy is not a dependency.

    Attributes:
        starts: Array (num_rows + 1,), int64: row i has the entries `starts[i]:starts[i + 1]`.
        columns: Array (num_entries,), int32: the column of each entry.
        values: Array (num_entries,), float32.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def from_entries(
        cls, entries: list[tuple[NDArray, NDArray, NDArray]], num_rows: int
    ) -> "_SparseRows":
        """Build a matrix from pieces (rows, columns, values) with ascending rows."""
        rows, columns, values = (np.concatenate(pieces) for pieces in zip(*entries, strict=True))
        starts = np.zeros(num_rows + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=num_rows), out=starts[1:])
        return cls(starts, columns.astype(np.int32), values.astype(np.float32))

    def take(self, rows: NDArray) -> tuple[NDArray[np.int64], NDArray, NDArray]:
        """Return the entries of some rows.

        Args:
            rows: Array (n,) of row indices, in any order, repeats allowed.

        Returns:
            For each entry its place in `rows` (0 to n - 1), its column and its value.
        """
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        ends = np.cumsum(lengths)
        entries = np.arange(lengths.sum()) + np.repeat(first - ends + lengths, lengths)
        places = np.repeat(np.arange(len(rows)), lengths)
        return places, self.columns[entries], self.values[entries]

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the columns and values of one row."""
        entries = slice(self.starts[row], self.starts[row + 1])
        return self.columns[entries], self.values[entries]

    def transposed(self, first_row: int, num_columns: int) -> "_SparseRows":
        """Return the transpose of the matrix from `first_row` on."""
        num_rows = len(self.starts) - 1 - first_row
        columns = self.columns[self.starts[first_row] :]
        rows = np.repeat(np.arange(num_rows), np.diff(self.starts[first_row:]))
        order = np.argsort(columns, kind="stable")
        entries = columns[order], rows[order], self.values[self.starts[first_row] :][order]
        return _SparseRows.from_entries([entries], num_columns)


def rows_of_all(query: NDArray, gallery: NDArray, metric: Metric) -> DistanceRows:
    """Return the distances between all images of `checked_sides`, queries first."""
    both = np.empty((len(query) + len(gallery), query.shape[1]), np.float64)
    both[: len(query)], both[len(query) :] = query, gallery
    return DistanceRows(both, both, metric)


def rerank_rows(
    rows: Rows, num_query: int, k1: int = K1, k2: int = 6, lambda_value: float = 0.3
) -> Iterator[NDArray[np.float32]]:
    """Yield the re-ranked distances in blocks (rows, num_gallery), in order.

    `rows` holds the distances between all images, queries first; the other arguments and errors
    are those of `k_reciprocal_rerank`.
    """
    check_whole(1, k1=k1, k2=k2)
    lambda_value = number("lambda_value", lambda_value, 0, 1)
    codes = _encode(rows, k1, k2)
    # For each image, the gallery images whose codes it is in.
    holders = codes.transposed(num_query, rows.shape[1])
    for part in blocks(rows.shape):
        if part.start >= num_query:
            return
        part = slice(part.start, min(part.stop, num_query))
        distances = _scaled(rows, part)[:, num_query:] * np.float32(lambda_value)
        for line, image in zip(distances, range(part.start, part.stop), strict=True):
            columns, values = codes.row(image)
            place, gallery_image, other = holders.take(columns)
            # Codes sum to 1 each, so that their union is 2 minus their intersection.
            common = np.minimum(values[place], other)
            shared = np.bincount(gallery_image, common, minlength=len(line))
            np.minimum(shared, 1, out=shared)  # rounding
            line += (1 - lambda_value) * (1 - shared / (2 - shared))
        yield distances


def _filled(rows: Rows, num_query: int, *parameters: Any) -> NDArray[np.float32]:
    """Return the blocks of `rerank_rows` as one array."""
    result = np.empty((num_query, rows.shape[1] - num_query), np.float32)
    start = 0
    for block in rerank_rows(rows, num_query, *parameters):
        result[start : start + len(block)] = block
        start += len(block)
    return result


class _MatrixRows:
    """The three matrices as one, read by columns as torchreid does.

    This matters if a matrix is not symmetric: column i holds the distances to image i.
    """

    def __init__(
        self, query_gallery: ArrayLike, query_query: ArrayLike, gallery_gallery: ArrayLike
    ) -> None:
        self._qg = checked_numbers(query_gallery, "query_gallery", "num_query, num_gallery")
        self._qq = checked_numbers(query_query, "query_query", "num_query, num_query")
        self._gg = checked_numbers(gallery_gallery, "gallery_gallery", "num_gallery, num_gallery")
        self.num_query, num_gallery = self._qg.shape
        for name, matrix, count in (
            ("query_query", self._qq, self.num_query),
            ("gallery_gallery", self._gg, num_gallery),
        ):
            if matrix.shape != (count, count):
                raise ValueError(
                    f"`{name}` must have shape {(count, count)} to go with `query_gallery`. "
                    f"Received: {name} of shape {matrix.shape}, "
                    f"query_gallery of shape {self._qg.shape}"
                )
        self.shape = (self.num_query + num_gallery,) * 2

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        q = slice(part.start, min(part.stop, self.num_query))
        g = slice(max(part.start - self.num_query, 0), max(part.stop - self.num_query, 0))
        rows = np.empty((part.stop - part.start, self.shape[1]), np.float32)
        queries, gallery = np.split(rows, [max(q.stop - q.start, 0)])
        with np.errstate(over="ignore"):  # reported with the squares
            queries[:, : self.num_query] = self._qq[:, q].T
            queries[:, self.num_query :] = self._qg[q]
            gallery[:, : self.num_query] = self._qg[:, g].T
            gallery[:, self.num_query :] = self._gg[:, g].T
        return rows


def _encode(rows: Rows, k1: int, k2: int) -> _SparseRows:
    """Encode every image as weights with sum 1 over its k-reciprocal neighbors, a row for each.

    A row is empty if the image is not among the nearest of any of its nearest, which requires more
    than `k1` copies of it.
    """
    nearest = _nearest(rows, max(k1 + 1, k2))
    # One more than k: an image is nearest to itself. `round` rounds halves to even, like torchreid.
    codes = _codes(rows, nearest[:, : k1 + 1], nearest[:, : round(k1 / 2) + 1])
    return codes if k2 == 1 else _averaged(codes, nearest[:, :k2])


def _scaled(rows: Rows, part: slice) -> NDArray[np.float32]:
    """Return the squared distances divided by the largest of each row, as a new array."""
    distances = rows[part]
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        np.square(distances, out=distances)
    largest = distances.max(axis=1, keepdims=True)  # NaN if there is one
    if not np.isfinite(largest).all():
        image = part.start + int(np.argmin(np.isfinite(largest[:, 0])))
        raise ValueError(
            "Distances and their squares must be finite in float32. "
            f"Received: a square of {largest[image - part.start, 0]} for image {image} "
            "(queries first)"
        )
    distances /= np.where(largest > 0, largest, 1)
    return distances


def _nearest(rows: Rows, count: int) -> NDArray[np.int32]:
    """Return the `count` nearest images of each, itself included, ties by index."""
    count = min(count, rows.shape[1])
    nearest = np.empty((rows.shape[0], count), np.int32)
    for part in blocks(rows.shape):
        distances = _scaled(rows, part)
        limits = np.partition(distances, count - 1, axis=1)[:, count - 1 : count]
        # More than `count` if several tie with the last.
        images, others = np.nonzero(distances <= limits)
        order = np.lexsort((distances[images, others], images))
        images, others = images[order], others[order]
        firsts = np.searchsorted(images, np.arange(len(distances)))
        nearest[part] = others[firsts[:, None] + np.arange(count)]
    return nearest


def _mutual(nearest: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return, for each neighbor of each image, whether the image is among its nearest too."""
    mutual = np.empty(nearest.shape, bool)
    for column, neighbors in enumerate(nearest.T):
        mutual[:, column] = (nearest[neighbors] == np.arange(len(nearest))[:, None]).any(axis=1)
    return mutual


def _codes(rows: Rows, nearest: NDArray[np.int32], halved: NDArray[np.int32]) -> _SparseRows:
    """Encode each image as weights with sum 1 over its expanded k-reciprocal neighbors."""
    mutual, mutual_halved = _mutual(nearest), _mutual(halved)
    entries = []
    for part in blocks(rows.shape):
        member = np.zeros((part.stop - part.start, rows.shape[1]), bool)
        images, places = np.nonzero(mutual[part])
        neighbors = nearest[part][images, places]
        member[images, neighbors] = True
        theirs, valid = halved[neighbors], mutual_halved[neighbors]
        shared = (member[images[:, None], theirs] & valid).sum(axis=1)
        valid = valid & (3 * shared > 2 * valid.sum(axis=1))[:, None]
        accepted, places = np.nonzero(valid)
        member[images[accepted], theirs[accepted, places]] = True

        images, others = np.nonzero(member)
        weights = np.exp(-_scaled(rows, part)[images, others])
        weights /= np.bincount(images, weights)[images]
        entries.append((images + part.start, others, weights))
    return _SparseRows.from_entries(entries, rows.shape[0])


def _averaged(codes: _SparseRows, nearest: NDArray[np.int32]) -> _SparseRows:
    """Average the codes of the nearest images of each (local query expansion)."""
    num_images, count = nearest.shape
    entries = []
    for part in blocks((num_images, num_images)):
        places, columns, values = codes.take(nearest[part].ravel())
        keys = (places // count + part.start) * num_images + columns
        keys, inverse = np.unique(keys, return_inverse=True)
        means = np.bincount(inverse, values) / count
        entries.append((*np.divmod(keys, num_images), means))
    return _SparseRows.from_entries(entries, num_images)
