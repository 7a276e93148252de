"""Vectors of people, and the similarities of their pairs, for the tests of verification."""

import numpy as np

from keras_osnet.metrics import pairwise_distances


def people(count=12, images=6, dim=8, seed=0, noise=0.8):
    rng = np.random.default_rng(seed)
    ids = np.arange(count).repeat(images)
    cameras = np.tile(np.arange(images) % 3, count)
    vectors = rng.normal(size=(count, dim))[ids] + noise * rng.normal(size=(len(ids), dim))
    return vectors.astype(np.float32), ids, cameras


def pairs_by_loops(query, gallery, ids, cameras=None, one_set=False):
    """Return similarities of the pairs of the same and of different people."""
    distances = pairwise_distances(query, gallery).astype(np.float64)
    same, different = [], []
    for i in range(len(query)):
        for j in range(len(gallery)):
            if one_set and j <= i:
                continue
            if cameras is not None and cameras[0][i] == cameras[1][j]:
                continue
            (same if ids[0][i] == ids[1][j] else different).append(1 - distances[i, j])
    return np.array(same), np.array(different)
