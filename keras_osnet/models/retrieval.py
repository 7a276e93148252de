"""From pictures of people and a model to retrieval figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from keras_osnet.data.images import UnreadableImageError
from keras_osnet.data.market1501 import PersonImage
from keras_osnet.evaluation import RankingResult, evaluate_features
from keras_osnet.models.embedding import embed_images


@dataclass(frozen=True, eq=False)
class RetrievalResult:
    """How well a model finds the people of a query set in a gallery.

    Attributes:
        ranking: The figures.
        queries: Number of query images that were read.
        gallery: Number of gallery images that were read.
        unreadable: One error for each file that was not, and is not in the figures.
    """

    ranking: RankingResult
    queries: int
    gallery: int
    unreadable: list[UnreadableImageError]


def evaluate_retrieval(
    model: keras.Model,
    query: Sequence[PersonImage],
    gallery: Sequence[PersonImage],
    *,
    metric: Literal["cosine", "euclidean"] = "cosine",
    max_rank: int = 50,
    size: tuple[int, int] | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> RetrievalResult:
    """Embed the pictures of a query set and a gallery and rank the one against the other.

    For each query, gallery pictures of the same identity and camera are left out; see
    `keras_osnet.evaluation.evaluate_ranking`. Where cameras are not known, none are.

    It lives with the models because it takes one: `keras_osnet.evaluation`, which ranks, knows
    arrays only.

    Args:
        model: A model with one output (batch, dim); see `embed_images`.
        query: The queries, with cameras or without; see `keras_osnet.data.read_folder` and
            `keras_osnet.data.split_by_camera`.
        gallery: The pictures to find them in.
        metric: `"cosine"` or `"euclidean"`; see `keras_osnet.evaluation.pairwise_distances`.
        max_rank: Length of the CMC curve.
        size: (height, width) that images are resized to; the model's own by default.
        batch_size: How many images the model takes at once.
        progress: Called after every batch with the number of files done so far.

    Raises:
        ValueError: A side has no picture that can be read, no query has a match in the gallery, or
            another argument is wrong.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_camera, write_synthetic_people
        >>> from keras_osnet.models import evaluate_retrieval
        >>> people = write_synthetic_people(getfixture("tmp_path"), 3, size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> evaluate_retrieval(model, *split_by_camera(people)).queries
        12
    """
    # A picture on both sides, of a gallery that holds its queries, is embedded once.
    files = list(dict.fromkeys(person.path for person in (*query, *gallery)))
    embedded = embed_images(model, files, size=size, batch_size=batch_size, progress=progress)
    rows = {path: row for row, path in enumerate(embedded.paths)}
    sides = []
    for side, people in (("query", query), ("gallery", gallery)):
        read = [person for person in people if person.path in rows]
        if not read:
            raise ValueError(
                f"`{side}` has no picture that can be read. Received: {len(people)} pictures"
                + (f"; {embedded.unreadable[0]}" if embedded.unreadable else "")
            )
        sides.append((read, embedded.vectors[[rows[person.path] for person in read]]))

    (queries, query_vectors), (others, gallery_vectors) = sides
    # One camera that is not known makes the rule of the same camera impossible to apply.
    with_cameras = all(person.camera is not None for person in (*queries, *others))
    ranking = evaluate_features(
        query_vectors,
        gallery_vectors,
        np.array([person.identity for person in queries]),
        np.array([person.identity for person in others]),
        np.array([person.camera for person in queries]) if with_cameras else None,
        np.array([person.camera for person in others]) if with_cameras else None,
        metric=metric,
        max_rank=max_rank,
    )
    return RetrievalResult(ranking, len(queries), len(others), embedded.unreadable)
