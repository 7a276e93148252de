"""What a network finds among people that it is tested on."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet.data import ReidDataset, ranking_labels
from keras_osnet.evaluation import embed_images
from keras_osnet.metrics import RankingResult, evaluate_ranking, pairwise_distances


@dataclass(frozen=True, eq=False)
class Found:
    """What a network finds among the people that it is tested on.

    Attributes:
        network: The network.
        query_vectors: Embeddings of the queries, (num_query, dim), float32.
        gallery_vectors: Those of the gallery, (num_gallery, dim), float32.
        distances: Cosine distances, (num_query, num_gallery).
        ranking: Rank-1, mAP and the CMC curve.
    """

    network: keras.Model
    query_vectors: NDArray[np.float32]
    gallery_vectors: NDArray[np.float32]
    distances: NDArray[np.float32]
    ranking: RankingResult


def find(network: keras.Model, people: ReidDataset) -> Found:
    """Search for the queries of a dataset in its gallery, by cosine."""
    sides = (people.query, people.gallery)
    query, gallery = (
        embed_images(network, [image.path for image in side]).vectors for side in sides
    )
    distances = pairwise_distances(query, gallery, metric="cosine")
    ranking = evaluate_ranking(distances, *ranking_labels(people.query, people.gallery))
    return Found(network, query, gallery, distances, ranking)
