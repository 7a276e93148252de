"""Crops of unknown people, grouped into people."""

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils import optional
from keras_osnet.metrics import rerank_features

MOST = 10_000
"""Vectors that are compared with each other, at most: 400 MB of distances."""


def cluster_vectors(
    vectors: NDArray[np.float32], max_distance: float, min_crops: int
) -> NDArray[np.int64]:
    """Group vectors by DBSCAN on the Jaccard distances of their k-reciprocal neighbors.

    Args:
        vectors: Array (n, dim), float32, of length 1.
        max_distance: Largest distance of neighbors in a group, from 0 to 1.
        min_crops: Smallest number of vectors in a group.

    Returns:
        Array (n,), int64: the group of every vector, from 0; -1 for those in none.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    cluster = optional.require("sklearn.cluster", "Clustering", extra="gallery")
    if len(vectors) < max(2, min_crops):
        return np.full(len(vectors), -1)
    distances = rerank_features(vectors, vectors, lambda_value=0.0)
    distances = np.maximum((distances + distances.T) / 2, 0)
    np.fill_diagonal(distances, 0)
    found = cluster.DBSCAN(eps=max_distance, min_samples=min_crops, metric="precomputed")
    return found.fit_predict(distances)
