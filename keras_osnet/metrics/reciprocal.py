"""Images encoded by their k-reciprocal neighbours (Zhong et al., CVPR 2017)."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from keras_osnet.metrics.distances import blocks
from keras_osnet.metrics.sparse import SparseRows


class Rows(Protocol):
    """The distances of all images (queries, then gallery) to all, some rows at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of images, twice."""

    def __getitem__(self, part: slice) -> NDArray[np.float32]: ...


def encode(rows: Rows, k1: int, k2: int) -> SparseRows:
    """Encode every image as weights, of sum 1, over the images that it resembles.

    Args:
        rows: Distances of all images to all.
        k1: Number of neighbours that make the code; at least 1.
        k2: Number of neighbours whose codes are averaged; 1 averages nothing.

    Returns:
        One row an image. It is empty for an image that is not among the nearest of any of its
        nearest, which takes more copies of it than `k1`.

    Raises:
        ValueError: If a distance or its square is not finite in float32.
    """
    nearest = _nearest(rows, max(k1 + 1, k2))
    # One more than k, as an image is the nearest to itself; halves go to even, as in the reference.
    codes = _codes(rows, nearest[:, : k1 + 1], nearest[:, : round(k1 / 2) + 1])
    return codes if k2 == 1 else _averaged(codes, nearest[:, :k2])


def scaled(rows: Rows, part: slice) -> NDArray[np.float32]:
    """Return distances squared and divided by each image's largest, in an array of their own.

    Raises:
        ValueError: If a distance or its square is not finite in float32.
    """
    distances = rows[part]
    with np.errstate(over="ignore", invalid="ignore"):  # reported below, with a reason
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
    """The `count` nearest images of each, itself included, nearest first, ties by index."""
    count = min(count, rows.shape[1])
    nearest = np.empty((rows.shape[0], count), np.int32)
    for part in blocks(rows.shape):
        distances = scaled(rows, part)
        limits = np.partition(distances, count - 1, axis=1)[:, count - 1 : count]
        # More than `count` of them where several are as far as the last.
        images, others = np.nonzero(distances <= limits)
        order = np.lexsort((distances[images, others], images))
        images, others = images[order], others[order]
        firsts = np.searchsorted(images, np.arange(len(distances)))
        nearest[part] = others[firsts[:, None] + np.arange(count)]
    return nearest


def _mutual(nearest: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether an image is in turn among the nearest of its nearest, for each of these."""
    mutual = np.empty(nearest.shape, bool)
    for column, neighbours in enumerate(nearest.T):
        mutual[:, column] = (nearest[neighbours] == np.arange(len(nearest))[:, None]).any(axis=1)
    return mutual


def _codes(rows: Rows, nearest: NDArray[np.int32], halved: NDArray[np.int32]) -> SparseRows:
    """Each image as weights, of sum 1, over its expanded set of k-reciprocal neighbours."""
    mutual, mutual_halved = _mutual(nearest), _mutual(halved)
    entries = []
    for part in blocks(rows.shape):
        member = np.zeros((part.stop - part.start, rows.shape[1]), bool)
        images, places = np.nonzero(mutual[part])
        neighbours = nearest[part][images, places]
        member[images, neighbours] = True
        theirs, valid = halved[neighbours], mutual_halved[neighbours]
        shared = (member[images[:, None], theirs] & valid).sum(axis=1)
        valid = valid & (3 * shared > 2 * valid.sum(axis=1))[:, None]
        accepted, places = np.nonzero(valid)
        member[images[accepted], theirs[accepted, places]] = True

        images, others = np.nonzero(member)
        weights = np.exp(-scaled(rows, part)[images, others])
        weights /= np.bincount(images, weights)[images]
        entries.append((images + part.start, others, weights))
    return SparseRows.from_entries(entries, rows.shape[0])


def _averaged(codes: SparseRows, nearest: NDArray[np.int32]) -> SparseRows:
    """The mean of the codes of each image's nearest (local query expansion)."""
    num_images, count = nearest.shape
    entries = []
    for part in blocks((num_images, num_images)):
        places, columns, values = codes.take(nearest[part].ravel())
        keys = (places // count + part.start) * num_images + columns
        keys, inverse = np.unique(keys, return_inverse=True)
        means = np.bincount(inverse, values) / count
        entries.append((*np.divmod(keys, num_images), means))
    return SparseRows.from_entries(entries, num_images)
