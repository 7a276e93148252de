"""From pictures of people and a model to retrieval figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet.architecture.feature_extractor import ends_in_classifier
from keras_osnet.data.datasets import ranking_labels
from keras_osnet.data.embedded_images import EmbeddedImages
from keras_osnet.data.images import UnreadableImageError
from keras_osnet.data.records import PersonImage
from keras_osnet.evaluation.ensemble import embed_by_all
from keras_osnet.metrics import RankingResult, evaluate_features
from keras_osnet.metrics.streaming import GalleryProtocol, check_ranking


@dataclass(frozen=True, eq=False)
class RetrievalResult:
    """How well a model finds the people of a query set in a gallery.

    Attributes:
        ranking: The figures.
        queries: Number of query images that were read.
        gallery: Number of gallery images that were read.
        unreadable: One error for each file that was not, and is not in the figures.
        cameras_known: Whether the camera of every picture is known. If not, no gallery picture was
            left out of any ranking: near-duplicates under the query's own camera, and the query
            itself if it is in the gallery, count as found, and figures are higher for it.
    """

    ranking: RankingResult
    queries: int
    gallery: int
    unreadable: list[UnreadableImageError]
    cameras_known: bool


def evaluate_retrieval(
    model: keras.Model | Sequence[keras.Model],
    query: Sequence[PersonImage],
    gallery: Sequence[PersonImage],
    *,
    metric: Literal["cosine", "euclidean"] = "cosine",
    max_rank: int = 50,
    flip: bool = False,
    rerank: bool = False,
    protocol: GalleryProtocol = "market1501",
    repeats: int = 100,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> RetrievalResult:
    """Embed the pictures of a query set and a gallery and rank the one against the other.

    For each query, gallery pictures of the same identity and camera are left out; see
    `keras_osnet.metrics.evaluate_ranking`. Where cameras are not known, none are, and the
    result says so.

    It lives with the models because it takes one: `keras_osnet.evaluation`, which ranks, knows
    arrays only.

    Args:
        model: A model with one output (batch, dim); see `embed_images`. Or several, an ensemble:
            their embeddings are scaled to unit length and put side by side; see
            `keras_osnet.metrics.concatenate`.
        query: The queries, with cameras or without; see `keras_osnet.data.read_folder`,
            `keras_osnet.data.split_by_camera` and `keras_osnet.data.read_dataset`.
        gallery: The pictures to find them in.
        metric: `"cosine"` or `"euclidean"`; see `keras_osnet.metrics.pairwise_distances`.
        max_rank: Length of the CMC curve.
        flip: Whether to average the embedding of every picture with its mirror image's; see
            `embed_images`.
        rerank: Whether to re-rank by k-reciprocal neighbours, with k1 = 20, k2 = 6 and λ = 0.3, as
            the reference does; see `keras_osnet.metrics.rerank_features`. It takes 21 pictures
            at least.
        protocol: `"market1501"` searches the whole gallery; `"single-gallery-shot"`, of CUHK03's
            classic splits, draws one gallery picture of every person, many times; see
            `keras_osnet.metrics.evaluate_single_gallery_shot`.
        repeats: How many times `"single-gallery-shot"` draws.
        seed: Of the draws of `"single-gallery-shot"`.
        size: (height, width) that images are resized to; the model's own by default.
        batch_size: How many images the model takes at once.
        progress: Called after every batch with the number of files done so far; an ensemble counts
            the files once for each model.

    Raises:
        ValueError: A side has no picture that can be read, no query has a match in the gallery,
            there are too few pictures to re-rank, or another argument is wrong.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_camera
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.evaluation import evaluate_retrieval
        >>> people = write_synthetic_people(getfixture("tmp_path"), 3, size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> evaluate_retrieval(model, *split_by_camera(people)).queries
        12
    """
    (result,) = evaluate_splits(
        model,
        [(query, gallery)],
        metric=metric,
        max_rank=max_rank,
        flip=flip,
        rerank=rerank,
        protocol=protocol,
        repeats=repeats,
        seed=seed,
        size=size,
        batch_size=batch_size,
        progress=progress,
    )
    return result


def evaluate_splits(
    model: keras.Model | Sequence[keras.Model],
    splits: Sequence[tuple[Sequence[PersonImage], Sequence[PersonImage]]],
    *,
    metric: Literal["cosine", "euclidean"] = "cosine",
    max_rank: int = 50,
    flip: bool = False,
    rerank: bool = False,
    protocol: GalleryProtocol = "market1501",
    repeats: int = 100,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> list[RetrievalResult]:
    """Evaluate a model on several splits of a dataset, over which results are averaged.

    A picture that is in several splits is embedded once. The embeddings of all splits are in memory
    together; datasets that have splits are small.

    Args:
        model: As for `evaluate_retrieval`.
        splits: (queries, gallery) of each split; see `keras_osnet.data.read_splits`.
        metric: As for `evaluate_retrieval`.
        max_rank: As for `evaluate_retrieval`.
        flip: As for `evaluate_retrieval`.
        rerank: As for `evaluate_retrieval`.
        protocol: As for `evaluate_retrieval`.
        repeats: As for `evaluate_retrieval`.
        seed: As for `evaluate_retrieval`.
        size: As for `evaluate_retrieval`.
        batch_size: As for `evaluate_retrieval`.
        progress: Called after every batch with the number of files done so far, of all splits
            together.

    Returns:
        What `evaluate_retrieval` returns, for each split; `keras_osnet.metrics.average` takes
        the `ranking` of each.

    Raises:
        ValueError: There are no splits, or for what `evaluate_retrieval` refuses.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_camera
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.metrics import average
        >>> from keras_osnet.evaluation import evaluate_splits
        >>> people = write_synthetic_people(getfixture("tmp_path"), 3, size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> both_ways = [split_by_camera(people, camera) for camera in (1, 2)]
        >>> average([result.ranking for result in evaluate_splits(model, both_ways)]).runs
        2
    """
    check_ranking(metric, max_rank, protocol, repeats, seed)
    if not splits:
        raise ValueError("`splits` must hold at least one split. Received: none")
    models = [model] if isinstance(model, keras.Model) else model
    for each in models:
        if ends_in_classifier(each):
            raise ValueError(
                "`model` must end in an embedding; "
                "keras_osnet.architecture.embedder(model) makes such "
                f"of a classifier. Received: {each.name}, which ends in {each.layers[-1].name}"
            )
    people = [person for split in splits for side in split for person in side]
    # Each file once: a gallery that holds its queries has them on both sides.
    files = list(dict.fromkeys(person.path for person in people))
    embedded = embed_by_all(
        models, files, size=size, batch_size=batch_size, flip=flip, progress=progress
    )
    results = []
    for number, (query, gallery) in enumerate(splits, start=1):
        sides = _divided(embedded, query, gallery)
        if number == len(splits):
            del embedded  # not needed to rank, which takes memory of its own
        results.append(_ranked(sides, metric, max_rank, rerank, protocol, repeats, seed))
    return results


@dataclass(frozen=True, eq=False)
class _Sides:
    """The pictures of queries and gallery that were read, and their embeddings."""

    query: list[PersonImage]
    query_vectors: NDArray[np.float32]
    gallery: list[PersonImage]
    gallery_vectors: NDArray[np.float32]
    unreadable: list[UnreadableImageError]


def _divided(
    embedded: EmbeddedImages, query: Sequence[PersonImage], gallery: Sequence[PersonImage]
) -> _Sides:
    rows = {path: row for row, path in enumerate(embedded.paths)}
    named = {person.path for person in (*query, *gallery)}
    unreadable = [error for error in embedded.unreadable if error.path in named]
    sides = []
    for side, people in (("query", query), ("gallery", gallery)):
        read = [person for person in people if person.path in rows]
        if not read:
            raise ValueError(
                f"`{side}` has no picture that can be read. Received: {len(people)} pictures"
                + (f"; {unreadable[0]}" if unreadable else "")
            )
        sides.append((read, embedded.vectors[[rows[person.path] for person in read]]))
    return _Sides(*sides[0], *sides[1], unreadable)


def _ranked(
    sides: _Sides,
    metric: Literal["cosine", "euclidean"],
    max_rank: int,
    rerank: bool,
    protocol: GalleryProtocol,
    repeats: int,
    seed: int,
) -> RetrievalResult:
    labels = ranking_labels(sides.query, sides.gallery)
    ranking = evaluate_features(
        sides.query_vectors,
        sides.gallery_vectors,
        *labels,
        metric=metric,
        max_rank=max_rank,
        rerank=rerank,
        protocol=protocol,
        repeats=repeats,
        seed=seed,
    )
    return RetrievalResult(
        ranking, len(sides.query), len(sides.gallery), sides.unreadable, labels[-1] is not None
    )
