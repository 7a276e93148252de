"""Pairs of images for verification, counted by similarity without a matrix of all pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.metrics.distances import DistanceRows, checked_sides, distance_blocks
from keras_osnet.metrics.features import checked_numbers
from keras_osnet.metrics.ranked_lists import Labels, checked_labels

STEPS = 2**16
"""Thresholds are multiples of 1 / STEPS, which distances in float32 are compared with exactly."""

_BINS = 2 * STEPS + 1  # cosine distances of 0–2
_LEFT_OUT = _BINS
_ROUNDING = np.float32(2**-30)
"""Of equal embeddings, the distance in steps that float64 sums leave, at most."""

_ENTRIES = 2**20
"""Pairs that are counted at a time."""


def similarity_of(step: int | NDArray) -> NDArray[np.float64]:
    """Return the similarity of a step: a distance of at most `step` / STEPS is at least that."""
    return 1.0 - np.asarray(step) / STEPS


class PairCounts(NamedTuple):
    """Numbers of pairs.

    Attributes:
        genuine: Pairs of one person.
        impostor: Pairs of different people.
        people: Identities that have a pair of one person.
        identities: All identities.
    """

    genuine: int
    impostor: int
    people: int
    identities: int


def count_pairs(labels: Labels, one_set: bool) -> PairCounts:
    """Count the pairs that `VerificationPairs` compares, from the labels alone.

    Args:
        labels: Identities and cameras of both sides.
        one_set: Whether both sides are the same images.

    Raises:
        ValueError: One of the two kinds has no pair.
    """
    ids = np.concatenate([labels.query_ids, labels.gallery_ids])
    if one_set and not labels.cameras_given:  # an image is no pair with itself only
        cameras = np.tile(np.arange(len(labels.query_ids)), 2)
    else:
        cameras = np.concatenate([labels.query_cameras, labels.gallery_cameras])

    def equal_pairs(values: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
        """Return the different values, and how many pairs of the two sides have each."""
        different, codes = np.unique(values, return_inverse=True)
        sides = np.split(codes, [len(labels.query_ids)])
        query, gallery = (np.bincount(side, minlength=len(different)) for side in sides)
        return different, query * gallery

    most = int(cameras.max()) + 1
    of_one_camera, left_out = equal_pairs(ids * most + cameras)
    identities, genuine = equal_pairs(ids)
    np.subtract.at(genuine, np.searchsorted(identities, of_one_camera // most), left_out)
    every = len(labels.query_ids) * len(labels.gallery_ids) - equal_pairs(cameras)[1].sum()
    same, share = int(genuine.sum()), 2 if one_set else 1
    people = int(np.count_nonzero(genuine))
    counts = PairCounts(same // share, (int(every) - same) // share, people, len(identities))
    for name, number in (
        ("the same person", counts.genuine),
        ("different people", counts.impostor),
    ):
        if not number:
            under = " under different cameras" if labels.cameras_given else ""
            sides = f"{len(labels.query_ids)} images"
            if not one_set:
                sides = f"{len(labels.query_ids)} queries, {len(labels.gallery_ids)} gallery images"
            raise ValueError(
                f"There must be a pair of images of {name}{under}. "
                f"Received: {sides} of {len(identities)} identities"
            )
    return counts


@dataclass(frozen=True, eq=False)
class VerificationPairs:
    """The pairs of a query set and a gallery, or of one set of images.

    A pair under one camera is left out, and so is an image with itself. Of one set, each pair is
    counted once.

    Attributes:
        query: Array (num_query, dim).
        gallery: Array (num_gallery, dim).
        labels: Identities and cameras of both sides.
        one_set: Whether both sides are the same images.
    """

    query: NDArray
    gallery: NDArray
    labels: Labels
    one_set: bool

    @property
    def identities(self) -> NDArray[np.int64]:
        """The codes of the identities of both sides, ascending."""
        return np.unique(np.concatenate([self.labels.query_ids, self.labels.gallery_ids]))

    def count(self) -> PairCounts:
        """Count the pairs, as `count_pairs`."""
        return count_pairs(self.labels, self.one_set)

    def histograms(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count the pairs of the same and of different people by step.

        Returns:
            Two arrays (2 * STEPS + 1,).
        """
        genuine, impostor = np.zeros((2, _BINS + 1), np.int64)
        for _, same, steps in self._parts():
            genuine += np.bincount(steps[same], minlength=_BINS + 1)
            steps[same] = _LEFT_OUT
            impostor += np.bincount(steps.ravel(), minlength=_BINS + 1)
        return genuine[:_BINS], impostor[:_BINS]

    def counts_by_group(
        self, steps: NDArray[np.int64], group_of: NDArray[np.int64], groups: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Count the pairs of the same and of different people up to some steps, by groups.

        Args:
            steps: Array (n,), ascending.
            group_of: The group of each identity's code, from 0.
            groups: Number of groups.

        Returns:
            Pairs of the same person, array (groups, n + 1), and of different people, array
            (groups of the query, groups of the gallery, n + 1); the last entry counts all.
        """
        bins = len(steps) + 2  # the last is of pairs that are left out
        place = np.append(np.searchsorted(steps, np.arange(_BINS)), bins - 1)
        columns = group_of[self.labels.gallery_ids] * bins
        genuine = np.zeros((groups, bins))
        impostor = np.zeros((groups, groups, bins))
        for rows, same, found in self._parts():
            for row, of_row, line in zip(rows, same, place[found], strict=True):
                group = group_of[self.labels.query_ids[row]]
                genuine[group] += np.bincount(line[of_row], minlength=bins)
                line[of_row] = bins - 1
                by_group = np.bincount(columns + line, minlength=groups * bins)
                impostor[group] += by_group.reshape(groups, bins)
        return genuine[:, :-1].cumsum(-1), impostor[..., :-1].cumsum(-1)

    def _parts(self) -> Iterator[tuple[range, NDArray[np.bool_], NDArray[np.int32]]]:
        """Yield row numbers, whether each pair is of one person, and the step of each."""
        labels, width = self.labels, len(self.gallery)
        columns = np.arange(width)
        first = 0
        for block in distance_blocks(DistanceRows(self.query, self.gallery, "cosine")):
            size = max(_ENTRIES // width, 1)
            for start in range(0, len(block), size):
                part = block[start : start + size]
                rows = range(first + start, first + start + len(part))
                here = slice(rows.start, rows.stop)
                # A product by a power of two is exact, and so is the comparison by its ceiling.
                steps = np.ceil(part * np.float32(STEPS) - _ROUNDING).astype(np.int32)
                steps[labels.query_cameras[here, None] == labels.gallery_cameras] = _LEFT_OUT
                if self.one_set:
                    steps[columns <= np.arange(rows.start, rows.stop)[:, None]] = _LEFT_OUT
                yield rows, labels.query_ids[here, None] == labels.gallery_ids, steps
            first += len(block)


def checked_pairs(
    query: ArrayLike,
    gallery: ArrayLike | None,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike | None,
    query_cameras: ArrayLike | None,
    gallery_cameras: ArrayLike | None,
) -> VerificationPairs:
    """Check the arguments of `evaluate_verification`.

    Raises:
        ValueError: As for `evaluate_verification`.
        TypeError: Likewise.
    """
    if gallery is None:
        for name, value in (("gallery_ids", gallery_ids), ("gallery_cameras", gallery_cameras)):
            if value is not None:
                raise ValueError(f"`{name}` must be left out without `gallery`. Received: both")
        one = checked_numbers(query, "query")
        labels = checked_labels(
            query_ids, query_ids, query_cameras, query_cameras, (len(one), len(one)), "features"
        )
        return VerificationPairs(one, one, labels, True)
    if gallery_ids is None:
        raise ValueError("`gallery_ids` must be given with `gallery`. Received: None")
    q, g = checked_sides(query, gallery, "cosine")
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, (len(q), len(g)), "features"
    )
    return VerificationPairs(q, g, labels, False)
