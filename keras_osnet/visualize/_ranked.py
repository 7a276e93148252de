"""What comes first in a gallery, for the figures of ranked lists."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.evaluation.labels import checked_labels
from keras_osnet.evaluation.ranking import checked_matrix


@dataclass(frozen=True, eq=False)
class Ranked:
    """The gallery as one query ranks it.

    Attributes:
        gallery: Array (k,), int64: indices of the first k gallery images, nearest first.
        right: Array (k,), bool: whether they show the query's identity.
        matches: Number of gallery images that do, at any rank.
    """

    gallery: NDArray[np.int64]
    right: NDArray[np.bool_]
    matches: int


def rank_queries(
    distances: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None,
    gallery_cameras: ArrayLike | None,
    top: int,
) -> list[Ranked]:
    """Rank the gallery for each query by the protocol of Market-1501.

    Gallery images of the query's identity and camera are left out; ties go by gallery index. As
    `keras_osnet.evaluation.evaluate_ranking` has it, whose arguments these are.
    """
    matrix = checked_matrix(distances)
    if np.isnan(matrix).any():
        raise ValueError("`distances` must not hold NaN. Received: NaN")
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    ranked = []
    for row, line in enumerate(matrix):
        same = labels.gallery_ids == labels.query_ids[row]
        junk = same & (labels.gallery_cameras == labels.query_cameras[row])
        order = np.argsort(line, kind="stable")
        order = order[~junk[order]]
        ranked.append(Ranked(order[:top], same[order[:top]], int((same & ~junk).sum())))
    return ranked
