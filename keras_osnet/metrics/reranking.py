"""Re-ranking a gallery by k-reciprocal neighbours."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.metrics.distances import DistanceRows, blocks, checked_sides
from keras_osnet.metrics.reciprocal import Rows, encode, scaled

K1 = 20
"""How many neighbours the paper and torchreid encode an image by."""


def k_reciprocal_rerank(
    query_gallery: ArrayLike,
    query_query: ArrayLike,
    gallery_gallery: ArrayLike,
    k1: int = K1,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> NDArray[np.float32]:
    """Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017), from distance matrices.

    Two images are k-reciprocal neighbours if each is among the k nearest of the other. An image
    is encoded by its k-reciprocal neighbours (k = `k1`), with those of its neighbours that share
    two thirds of theirs with it (k = `k1` / 2, section 3.2), weighted by exp(-distance) and
    averaged over its `k2` nearest (section 3.4); codes are compared by their Jaccard distance
    (section 3.3), and the result is (1 - λ) · Jaccard distance + λ · original distance.

    As in torchreid (`torchreid.utils.re_ranking`) and in the authors' own code, the distances
    given are squared and divided by each image's largest: "euclidean" distances of
    `pairwise_distances`, which are squared already, enter by their fourth power. The order among
    equal distances, undefined there, is that of the images, queries first.

    No array of all images by all is made besides the arguments: beyond them and the result, memory
    grows with the number of images. `rerank_features` does without the arguments too.

    Args:
        query_gallery: Distances (num_query, num_gallery) of any real dtype, used as float32.
        query_query: Distances (num_query, num_query) among the queries.
        gallery_gallery: Distances (num_gallery, num_gallery) among the gallery images.
        k1: Number of neighbours that make the code; at least 1.
        k2: Number of neighbours whose codes are averaged; at least 1, which averages nothing.
        lambda_value: Share λ of the original distance, from 0 to 1.

    Returns:
        Array (num_query, num_gallery), float32, from 0 to 1; smaller is more alike.

    Raises:
        ValueError: If shapes do not agree, a distance or its square is not finite in float32, or
            a parameter is out of its range.

    Example:
        >>> from keras_osnet.metrics import pairwise_distances
        >>> query, gallery = [[0.0], [9.0]], [[1.0], [2.0], [8.0], [10.0]]
        >>> reranked = k_reciprocal_rerank(
        ...     pairwise_distances(query, gallery),
        ...     pairwise_distances(query, query),
        ...     pairwise_distances(gallery, gallery),
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
    metric: Literal["euclidean", "cosine"] = "euclidean",
    k1: int = K1,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> NDArray[np.float32]:
    """Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017), from embeddings.

    The result is that of `k_reciprocal_rerank` on the three matrices of `pairwise_distances`, of
    which only some rows at a time are worked out: beyond the embeddings and the result, memory
    grows with the number of images, not with its square.

    Args:
        query: Array (num_query, dim) of any real dtype.
        gallery: Array (num_gallery, dim) of any real dtype.
        metric: "euclidean" or "cosine"; see `pairwise_distances`.
        k1: As for `k_reciprocal_rerank`.
        k2: As for `k_reciprocal_rerank`.
        lambda_value: As for `k_reciprocal_rerank`.

    Returns:
        Array (num_query, num_gallery), float32, from 0 to 1; smaller is more alike.

    Raises:
        ValueError: For what `pairwise_distances` and `k_reciprocal_rerank` refuse.

    Example:
        >>> query, gallery = [[0.0], [9.0]], [[1.0], [2.0], [8.0], [10.0]]
        >>> print(rerank_features(query, gallery, k1=2, k2=1).round(2))
        [[0.   0.   0.82 1.  ]
         [0.89 0.81 0.   0.  ]]
    """
    sides = checked_sides(query, gallery, metric)
    return _filled(rows_of_all(*sides, metric), len(sides[0]), k1, k2, lambda_value)


def rows_of_all(
    query: NDArray, gallery: NDArray, metric: Literal["euclidean", "cosine"]
) -> DistanceRows:
    """Return the distances of all images to all, queries first, that `rerank_rows` asks for.

    Args:
        query: Array (num_query, dim) from `checked_sides`.
        gallery: Array (num_gallery, dim), likewise.
        metric: As for `pairwise_distances`.
    """
    both = np.empty((len(query) + len(gallery), query.shape[1]), np.float64)
    both[: len(query)], both[len(query) :] = query, gallery
    return DistanceRows(both, both, metric)


def rerank_rows(
    rows: Rows, num_query: int, k1: int = K1, k2: int = 6, lambda_value: float = 0.3
) -> Iterator[NDArray[np.float32]]:
    """Yield the re-ranked distances (some queries, num_gallery), in order.

    Args:
        rows: Distances of all images to all.
        num_query: How many of the images, at the beginning, are queries.
        k1: As for `k_reciprocal_rerank`.
        k2: As for `k_reciprocal_rerank`.
        lambda_value: As for `k_reciprocal_rerank`.

    Raises:
        ValueError: If a distance or its square is not finite in float32, or a parameter is out of
            its range.
    """
    for name, value in (("k1", k1), ("k2", k2)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {value}")
    if not 0 <= lambda_value <= 1:
        raise ValueError(f"`lambda_value` must be between 0 and 1. Received: {lambda_value}")
    codes = encode(rows, k1, k2)
    # For each image, the gallery images whose codes it is in.
    holders = codes.transposed(num_query, rows.shape[1])
    for part in blocks(rows.shape):
        if part.start >= num_query:
            return
        part = slice(part.start, min(part.stop, num_query))
        distances = scaled(rows, part)[:, num_query:] * np.float32(lambda_value)
        for line, image in zip(distances, range(part.start, part.stop), strict=True):
            columns, values = codes.row(image)
            place, gallery_image, other = holders.take(columns)
            # Codes sum to 1 each, so that their union is 2 less what they share.
            common = np.minimum(values[place], other)
            shared = np.bincount(gallery_image, common, minlength=len(line))
            np.minimum(shared, 1, out=shared)  # rounding
            line += (1 - lambda_value) * (1 - shared / (2 - shared))
        yield distances


def _filled(rows: Rows, num_query: int, *parameters: Any) -> NDArray[np.float32]:
    """Put the blocks of `rerank_rows` together."""
    result = np.empty((num_query, rows.shape[1] - num_query), np.float32)
    start = 0
    for block in rerank_rows(rows, num_query, *parameters):
        result[start : start + len(block)] = block
        start += len(block)
    return result


class _MatrixRows:
    """The three matrices as one, of which columns are read, as the reference does.

    That matters for matrices that are not quite symmetric: column i holds the distances to image i.
    """

    def __init__(
        self, query_gallery: ArrayLike, query_query: ArrayLike, gallery_gallery: ArrayLike
    ) -> None:
        self._qg, self._qq, self._gg = map(
            np.asarray, (query_gallery, query_query, gallery_gallery)
        )
        if self._qg.ndim != 2 or 0 in self._qg.shape:
            raise ValueError(
                "`query_gallery` must be a non-empty array (num_query, num_gallery). "
                f"Received: shape {self._qg.shape}"
            )
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
        queries[:, : self.num_query] = self._qq[:, q].T
        queries[:, self.num_query :] = self._qg[q]
        gallery[:, : self.num_query] = self._qg[:, g].T
        gallery[:, self.num_query :] = self._gg[:, g].T
        return rows
