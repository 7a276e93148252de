"""Distances between the embeddings of queries and those of a gallery."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The embeddings of one block of queries against the whole gallery are held in float64 for a
# moment; this bounds that block to 64 MiB, whatever the gallery's size.
_BLOCK_ENTRIES = 8 * 2**20

# torch.nn.functional.normalize divides by max(norm, eps) with this eps.
_NORM_EPSILON = 1e-12


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
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f'`metric` must be "euclidean" or "cosine". Received: {metric!r}')
    q = _checked_features(query, "query")
    g = _checked_features(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        raise ValueError(
            "`query` and `gallery` must have the same feature dimension. "
            f"Received: query of shape {q.shape}, gallery of shape {g.shape}"
        )

    if metric == "cosine":
        q, g = _normalized(q), _normalized(g)
    else:
        q_squares = np.einsum("ij,ij->i", q, q)
        g_squares = np.einsum("ij,ij->i", g, g)

    distances = np.empty((len(q), len(g)), np.float32)
    rows = max(1, _BLOCK_ENTRIES // len(g))
    for start in range(0, len(q), rows):
        part = slice(start, start + rows)
        if metric == "cosine":
            block = 1.0 - q[part] @ g.T
            np.clip(block, 0.0, 2.0, out=block)
        else:
            with np.errstate(over="ignore", invalid="ignore"):  # reported below, with a reason
                block = -2.0 * (q[part] @ g.T)
                block += q_squares[part, None]
                block += g_squares
            np.maximum(block, 0.0, out=block)
            # Also false for NaN, which is what infinity minus infinity gave.
            if not block.max() <= np.finfo(np.float32).max:
                raise ValueError(
                    "Squared distances of `query` and `gallery` must fit float32; scale the "
                    "features down. Received: largest magnitudes "
                    f"{np.abs(q).max():.3g} and {np.abs(g).max():.3g}"
                )
        distances[part] = block
    return distances


def _checked_features(features: ArrayLike, name: str) -> NDArray[np.float64]:
    """The features as float64, or an error that names the argument."""
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"`{name}` must be a non-empty array (number of images, feature dimension). "
            f"Received: shape {array.shape}"
        )
    # By casting rule rather than by kind, so that bfloat16 from ml_dtypes is welcome too.
    if not np.can_cast(array.dtype, np.float64, casting="same_kind"):
        raise ValueError(f"`{name}` must hold real numbers. Received: dtype {array.dtype}")
    array = array.astype(np.float64)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        value = array[row][~np.isfinite(array[row])][0]
        raise ValueError(
            f"`{name}` must be finite in every row. Received: {value} in row {row} "
            f"({np.count_nonzero(~finite)} of {len(array)} rows are affected)"
        )
    return array


def _normalized(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to unit length, as `torch.nn.functional.normalize` does it."""
    # Very large float64 values would overflow when squared; dividing by the row's largest
    # magnitude first changes nothing else, as that magnitude is multiplied back into the norm.
    largest = np.abs(features).max(axis=1, keepdims=True)
    scaled = features / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled * (largest / np.maximum(norms * largest, _NORM_EPSILON))
