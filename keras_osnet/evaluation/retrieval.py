"""Evaluate re-identification: embed a query set and a gallery, and rank one against the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import boolean, check_whole
from keras_osnet.architecture.model import ends_in_classifier
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.records import EmbeddedImages, PersonImage, ranking_labels
from keras_osnet.evaluation.embed import checked_models, embed_by_all
from keras_osnet.metrics import (
    evaluate_features,
    expand_queries,
    normalize,
    remove_camera_means,
)
from keras_osnet.metrics.distances import Metric
from keras_osnet.metrics.evaluate_features import GalleryProtocol, check_ranking
from keras_osnet.metrics.ranking import RankingResult


@dataclass(frozen=True, eq=False)
class RetrievalResult:
    """Retrieval metrics of a model on a query set and a gallery.

    Attributes:
        ranking: CMC, mAP and mINP.
        queries: Number of query images that were read.
        gallery: Number of gallery images that were read.
        unreadable: The files that could not be read and were left out, with the reason.
        cameras_known: Whether the camera of every image is known. If not, no gallery image is
            ignored: near-duplicates under the query's own camera, and the query itself if it is in
            the gallery, count as matches, which raises the metrics.
    """

    ranking: RankingResult
    queries: int
    gallery: int
    unreadable: dict[Path, str]
    cameras_known: bool


def evaluate_retrieval(
    model: keras.Model | Sequence[keras.Model],
    query: Sequence[PersonImage],
    gallery: Sequence[PersonImage],
    *,
    metric: Metric = "cosine",
    max_rank: int = 50,
    flip: bool = False,
    camera_means: bool = False,
    query_expansion: int | None = None,
    rerank: bool = False,
    protocol: GalleryProtocol = "market1501",
    repeats: int = 100,
    seed: int = 0,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> RetrievalResult:
    """Embed the images of a query set and a gallery, and rank the gallery for each query.

    For each query, gallery images of the same identity and camera are ignored; see
    `keras_osnet.metrics.evaluate_ranking`. If cameras are not known, none are ignored, and
    `cameras_known` of the result is False.

    Args:
        model: A model with one output (batch, dim); see `embed_images`. Or several, an ensemble:
            their embeddings are scaled to unit length and concatenated; see
            `keras_osnet.metrics.concatenate_features`.
        query: The queries, with cameras or without; see `keras_osnet.data.read_people`,
            `keras_osnet.data.split_by_camera` and `keras_osnet.data.read_dataset`.
        gallery: The gallery images.
        metric: `"cosine"` or `"euclidean"`; see `keras_osnet.metrics.pairwise_distances`.
        max_rank: Length of the CMC curve.
        flip: Whether to average the embedding of every image with that of its mirror image; see
            `embed_images`.
        camera_means: Whether to remove the mean embedding of the images of each camera, queries and
            gallery together; see `keras_osnet.metrics.remove_camera_means`. All cameras must be
            known.
        query_expansion: Number of nearest gallery images that a query is averaged with; see
            `keras_osnet.metrics.expand_queries`. All vectors are scaled to length 1. None for no
            expansion.
        rerank: Whether to re-rank by k-reciprocal encoding with torchreid's parameters, k1 = 20,
            k2 = 6 and λ = 0.3; see `keras_osnet.metrics.rerank_features`. At least 21 images are
            required.
        protocol: `"market1501"` searches the whole gallery; `"single-gallery-shot"`, of CUHK03's
            classic splits, repeatedly samples one gallery image of every person; see
            `keras_osnet.metrics.evaluate_single_gallery_shot`.
        repeats: Number of samples of `"single-gallery-shot"`.
        seed: Seed of the samples of `"single-gallery-shot"`.
        image_size: (height, width) that images are resized to; the model's own by default.
        batch_size: Number of images per batch.
        progress: Called after every batch with the number of files processed so far; files count
            once per model of an ensemble.

    Raises:
        ValueError: A side has no readable image, no query has a match in the gallery, there are
            too few images to re-rank, or another argument is invalid.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_camera
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.evaluation import evaluate_retrieval
        >>> people = write_synthetic_people(getfixture("tmp_path"), 3, image_size=(64, 32))
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
        camera_means=camera_means,
        query_expansion=query_expansion,
        rerank=rerank,
        protocol=protocol,
        repeats=repeats,
        seed=seed,
        image_size=image_size,
        batch_size=batch_size,
        progress=progress,
    )
    return result


def evaluate_splits(
    model: keras.Model | Sequence[keras.Model],
    splits: Sequence[tuple[Sequence[PersonImage], Sequence[PersonImage]]],
    *,
    metric: Metric = "cosine",
    max_rank: int = 50,
    flip: bool = False,
    camera_means: bool = False,
    query_expansion: int | None = None,
    rerank: bool = False,
    protocol: GalleryProtocol = "market1501",
    repeats: int = 100,
    seed: int = 0,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> list[RetrievalResult]:
    """Evaluate a model on several splits of a dataset.

    An image that is in several splits is embedded once. The embeddings of all splits are in memory
    together; datasets with splits are small.

    Args:
        model: As for `evaluate_retrieval`.
        splits: (queries, gallery) of each split; see `keras_osnet.data.read_splits`.
        metric: As for `evaluate_retrieval`.
        max_rank: As for `evaluate_retrieval`.
        flip: As for `evaluate_retrieval`.
        camera_means: As for `evaluate_retrieval`.
        query_expansion: As for `evaluate_retrieval`.
        rerank: As for `evaluate_retrieval`.
        protocol: As for `evaluate_retrieval`.
        repeats: As for `evaluate_retrieval`.
        seed: As for `evaluate_retrieval`.
        image_size: As for `evaluate_retrieval`.
        batch_size: As for `evaluate_retrieval`.
        progress: Called after every batch with the number of files processed so far, over all
            splits.

    Returns:
        One `RetrievalResult` per split; `keras_osnet.metrics.average_results` averages their
        `ranking`.

    Raises:
        ValueError: There are no splits, or `evaluate_retrieval` would raise one.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_camera
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.metrics import average_results
        >>> from keras_osnet.evaluation import evaluate_splits
        >>> people = write_synthetic_people(getfixture("tmp_path"), 3, image_size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> both_ways = [split_by_camera(people, camera) for camera in (1, 2)]
        >>> average_results([result.ranking for result in evaluate_splits(model, both_ways)]).runs
        2
    """
    check_ranking(metric, max_rank, rerank, protocol, repeats, seed)
    if not isinstance(splits, list | tuple) or not splits:
        raise ValueError(
            "`splits` must be a list of at least one split. "
            f"Received: {'none' if isinstance(splits, list | tuple) else repr(splits)[:200]}"
        )
    for split in splits:
        if not isinstance(split, list | tuple) or len(split) != 2:
            raise ValueError(
                "`splits` must hold pairs (queries, gallery). "
                f"Received: {type(split).__name__}"
                + (f" of {len(split)}" if isinstance(split, list | tuple) else "")
            )
        for name, side in zip(("query", "gallery"), split, strict=True):
            check_people(name, side)
        query, gallery = split
        _check_improvements(query, gallery, camera_means, query_expansion)
    models = checked_models(model)
    for each in models:
        if ends_in_classifier(each):
            raise ValueError(
                "`model` must end in an embedding; "
                "keras_osnet.architecture.feature_extractor(model) makes such "
                f"of a classifier. Received: {each.name}, which ends in {each.layers[-1].name}"
            )
    people = [person for split in splits for side in split for person in side]
    # Embed each file once: a gallery may contain its queries.
    files = list(dict.fromkeys(person.path for person in people))
    embedded = embed_by_all(
        models, files, image_size=image_size, batch_size=batch_size, flip=flip, progress=progress
    )
    results = []
    for number, (query, gallery) in enumerate(splits, start=1):
        sides = _sides(embedded, query, gallery)
        if number == len(splits):
            del embedded  # not needed to rank, which takes memory of its own
        results.append(
            _rank(
                *sides,
                metric=metric,
                max_rank=max_rank,
                camera_means=camera_means,
                query_expansion=query_expansion,
                rerank=rerank,
                protocol=protocol,
                repeats=repeats,
                seed=seed,
            )
        )
    return results


def evaluate_embeddings(
    embedded: EmbeddedImages,
    query: Sequence[PersonImage],
    gallery: Sequence[PersonImage],
    **options: Any,
) -> RetrievalResult:
    """Evaluate retrieval with embeddings that have been computed.

    Args:
        embedded: Embeddings of the files of both sides, as from `embed_images` with
            `skip_unreadable=True`. Files without an embedding are left out.
        query: As for `evaluate_retrieval`.
        gallery: As for `evaluate_retrieval`.
        **options: `camera_means` and `query_expansion` of `evaluate_retrieval`, and `metric`,
            `max_rank`, `rerank`, `protocol`, `repeats` and `seed` of
            `keras_osnet.metrics.evaluate_features`.

    Raises:
        ValueError: No image of a side has an embedding, or `keras_osnet.metrics.evaluate_features`
            would raise one.
        TypeError: There is no such option.
    """
    if not isinstance(embedded, EmbeddedImages):
        raise ValueError(
            f"`embedded` must be the result of `embed_images`. Received: {type(embedded).__name__}"
        )
    check_people("query", query)
    check_people("gallery", gallery)
    return _rank(*_sides(embedded, query, gallery), **options)


def check_people(name: str, people: Any) -> None:
    """Raise ValueError unless an argument is a list of images of people."""
    wrong = people
    if isinstance(people, list | tuple):
        others = [each for each in people if not isinstance(each, PersonImage)]
        if not others:
            return
        wrong = others[0]
    raise ValueError(
        f"`{name}` must be a list of `PersonImage`, as `keras_osnet.data.read_people` returns. "
        f"Received: {wrong!r:.200}"
    )


_Side = tuple[list[PersonImage], NDArray[np.float32]]
"""The readable images of a query set or gallery, and their embeddings."""


def _sides(
    embedded: EmbeddedImages, query: Sequence[PersonImage], gallery: Sequence[PersonImage]
) -> tuple[_Side, _Side, dict[Path, str]]:
    """Return both sides, and the files of either that could not be read."""
    named = {person.path for person in (*query, *gallery)}
    unreadable = {path: why for path, why in embedded.unreadable.items() if path in named}
    known = set(embedded.paths)

    def side(name: str, people: Sequence[PersonImage]) -> _Side:
        read = [person for person in people if person.path in known]
        if not read:
            raise ValueError(
                f"`{name}` has no image that can be read. Received: {len(people)} images"
                + (f"; {ImageReadError(unreadable)}" if unreadable else "")
            )
        return read, embedded.vectors_of(read)

    return side("query", query), side("gallery", gallery), unreadable


def _check_improvements(
    query: Sequence[PersonImage],
    gallery: Sequence[PersonImage],
    camera_means: bool,
    query_expansion: int | None,
) -> None:
    """Raise ValueError if an argument is wrong, or a camera is needed that is not known."""
    if query_expansion is not None:
        check_whole(1, query_expansion=query_expansion)
    unknown = [each.path for each in (*query, *gallery) if each.camera is None]
    if boolean("camera_means", camera_means) and unknown:
        raise ValueError(
            "`camera_means` needs the camera of every image. "
            f"Received: {len(unknown)} images without one, the first {unknown[0]}"
        )


def _rank(
    query: _Side,
    gallery: _Side,
    unreadable: dict[Path, str],
    *,
    camera_means: bool = False,
    query_expansion: int | None = None,
    **options: Any,
) -> RetrievalResult:
    """Rank one side against the other; the options are those of `evaluate_features`."""
    (queries, query_vectors), (others, gallery_vectors) = query, gallery
    _check_improvements(queries, others, camera_means, query_expansion)
    labels = ranking_labels(queries, others)
    if camera_means:
        both = np.concatenate([query_vectors, gallery_vectors])
        cameras = np.concatenate([side for side in labels[2:] if side is not None])
        both = remove_camera_means(both, cameras)
        query_vectors, gallery_vectors = both[: len(queries)], both[len(queries) :]
    if query_expansion is not None:
        query_vectors = expand_queries(query_vectors, gallery_vectors, query_expansion)
        gallery_vectors = normalize(gallery_vectors)  # as the queries: Euclidean distances need it
    ranking = evaluate_features(query_vectors, gallery_vectors, *labels, **options)
    return RetrievalResult(ranking, len(queries), len(others), unreadable, labels[-1] is not None)
