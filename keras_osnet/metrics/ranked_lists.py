"""Ranked lists, and the labels that decide which gallery images of a query count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole
from keras_osnet.metrics.features import as_array, checked_shape


@dataclass(frozen=True, eq=False)
class RankedList:
    """The gallery images that one query retrieves, nearest first.

    Attributes:
        query: Index of the query.
        gallery: Array (length,), int64: indices of the gallery images.
        distances: Array (length,): their distances from the query.
        matches: Array (length,), bool: whether they show the query's identity.
    """

    query: int
    gallery: NDArray[np.int64]
    distances: NDArray
    matches: NDArray[np.bool_]


def ranked_lists(
    distances: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    queries: int | Sequence[int] | None = None,
    top_k: int | None = 10,
) -> list[RankedList]:
    """List the gallery images that queries retrieve, by the rules of `evaluate_ranking`.

    Gallery images of the query's identity under its own camera are left out, and ties are broken
    by gallery index. A query without a match, which `evaluate_ranking` skips, gets a list too.

    If the full distance matrix does not fit in memory, pass the rows and labels of some queries at
    a time.

    Args:
        distances: Array (num_query, num_gallery) of real numbers, smaller is more similar, from
            `pairwise_distances` or `k_reciprocal_rerank`.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        queries: Index or indices of the queries; None for all.
        top_k: Maximum length of a list; None for the whole gallery.

    Returns:
        One `RankedList` for each of `queries`.

    Raises:
        ValueError: If shapes do not agree, a distance is NaN, only one side's cameras are given,
            there is no such query, or `top_k` is not positive.
        TypeError: If identities or cameras are neither integers nor strings, or are of one kind
            for the queries and of the other for the gallery.

    Example:
        Image 0 shows Ann, but under the query's own camera.

        >>> (found,) = ranked_lists(
        ...     [[0.1, 0.4, 0.2, 0.2]],
        ...     query_ids=["ann"],
        ...     gallery_ids=["ann", "ann", "bob", "eve"],
        ...     query_cameras=[1],
        ...     gallery_cameras=[1, 2, 1, 2],
        ... )
        >>> found.gallery.tolist(), found.matches.tolist()
        ([2, 3, 1], [False, False, True])
    """
    matrix = checked_matrix(distances)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    if top_k is not None:
        check_whole(1, top_k=top_k)
    lists = []
    for query in _chosen(queries, len(matrix)):
        line = matrix[query]
        check_numbers(line, query)
        matches, left_out = labels.found_by(query)
        images = np.delete(np.arange(len(line)), left_out)
        order = images[np.argsort(line[images], kind="stable")[:top_k]]
        lists.append(RankedList(query, order, line[order], np.isin(order, matches)))
    return lists


@dataclass(frozen=True, eq=False)
class Labels:
    """Identities and cameras of queries and gallery, as integer codes.

    Equal labels have equal codes, within and across the two sides.

    Attributes:
        query_ids: Array (num_query,), int64.
        gallery_ids: Array (num_gallery,), int64.
        query_cameras: Array (num_query,), int64.
        gallery_cameras: Array (num_gallery,), int64. Without cameras, the codes of the two sides
            are disjoint.
        cameras_given: Whether cameras were given.
    """

    query_ids: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]
    cameras_given: bool

    def found_by(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the gallery images of a query's identity: its matches, and those left out.

        Images under the query's own camera are left out.

        Returns:
            Two arrays of indices into the gallery, each in ascending order.
        """
        order, sorted_ids = self._by_identity
        identity = self.query_ids[query]
        images = order[slice(*np.searchsorted(sorted_ids, (identity, identity + 1)))]
        left_out = self.gallery_cameras[images] == self.query_cameras[query]
        return images[~left_out], images[left_out]

    @cached_property
    def _by_identity(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return gallery indices sorted by identity, and the sorted identities."""
        order = np.argsort(self.gallery_ids, kind="stable")
        return order, self.gallery_ids[order]

    def error_if_no_match(self) -> ValueError:
        """Return the error to raise if no query has a match in the gallery."""
        under = " under another camera" if self.cameras_given else ""
        q_ids, g_ids = self.query_ids, self.gallery_ids
        return ValueError(
            f"No query identity appears in the gallery{under}. "
            f"Received: {len(q_ids)} queries of {len(np.unique(q_ids))} identities, "
            f"{len(g_ids)} gallery images of {len(np.unique(g_ids))} identities, "
            f"{len(np.intersect1d(q_ids, g_ids))} identities in both"
        )


def checked_labels(
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None,
    gallery_cameras: ArrayLike | None,
    shape: tuple[int, int],
    beside: str,
) -> Labels:
    """Check the labels of an evaluation and convert them to integer codes.

    Args:
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        shape: (num_query, num_gallery).
        beside: Name of the array of that shape, for error messages.

    Raises:
        ValueError: If shapes do not agree or only one side's cameras are given.
        TypeError: If labels are neither integers nor strings, or of one kind for the queries and
            of the other for the gallery.
    """
    ids = _codes(query_ids, gallery_ids, "ids", shape, beside)
    if query_cameras is not None and gallery_cameras is not None:
        cameras = _codes(query_cameras, gallery_cameras, "cameras", shape, beside)
        return Labels(*ids, *cameras, cameras_given=True)
    if query_cameras is None and gallery_cameras is None:
        cameras = np.zeros(shape[0], np.int64), np.ones(shape[1], np.int64)
        return Labels(*ids, *cameras, cameras_given=False)
    given, missing = ("query", "gallery") if gallery_cameras is None else ("gallery", "query")
    raise ValueError(
        "`query_cameras` and `gallery_cameras` must be given together or not at all. "
        f"Received: {given}_cameras but no {missing}_cameras"
    )


def _codes(
    query: ArrayLike, gallery: ArrayLike, kind: str, shape: tuple[int, int], beside: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    sides = []
    for side, values, length in zip(("query", "gallery"), (query, gallery), shape, strict=True):
        name = f"{side}_{kind}"
        array = as_array(values, name)
        if array.shape != (length,):
            raise ValueError(
                f"`{name}` must have shape ({length},) to go with the {beside}. "
                f"Received: {name} of shape {array.shape}, {beside} of shape {shape}"
            )
        sides.append(_of_integers_or_strings(array, values, name))
    if sides[0].dtype.kind != sides[1].dtype.kind:
        raise TypeError(
            f"`query_{kind}` and `gallery_{kind}` must be of the same kind. "
            f"Received: dtypes {sides[0].dtype} and {sides[1].dtype}"
        )
    codes = np.unique(np.concatenate(sides), return_inverse=True)[1]
    return codes[: shape[0]], codes[shape[0] :]


def checked_codes(values: ArrayLike, name: str, length: int) -> tuple[NDArray, NDArray[np.int64]]:
    """Return the different labels among some, ascending, and the index of each among them.

    Raises:
        ValueError: They are not of the shape (length,).
        TypeError: They are neither integers nor strings.
    """
    array = as_array(values, name)
    if array.shape != (length,):
        raise ValueError(
            f"`{name}` must have shape ({length},), one for each image. "
            f"Received: shape {array.shape}"
        )
    return np.unique(_of_integers_or_strings(array, values, name), return_inverse=True)


def _of_integers_or_strings(array: NDArray, values: ArrayLike, name: str) -> NDArray:
    """Return labels as an array of one type; `array` is made of `values`."""
    if array.dtype == object or isinstance(values, list | tuple):
        array = _of_one_type(values, name)
    if array.dtype.kind not in "iuUS":
        raise TypeError(f"`{name}` must hold integers or strings. Received: dtype {array.dtype}")
    # int64 and uint64 together would be promoted to float64, which merges large integers.
    return array.astype(np.int64) if array.dtype.kind == "u" else array


def _of_one_type(values: Any, name: str) -> NDArray:
    """Return a list or an array of objects, such as strings of pandas, as an array of its type.

    NumPy would turn numbers among texts into texts, so that 7 and "7" were the same person.
    """
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    types = set(map(type, listed))
    for kinds in ((int, np.integer), (str,), (bytes,)):
        if all(issubclass(each, kinds) and each is not bool for each in types):
            array = np.asarray(listed)
            if array.dtype == object:
                raise ValueError(
                    f"`{name}` must hold integers of 64 bits. Received: {max(listed, key=abs)}"
                )
            return array
    raise TypeError(
        f"`{name}` must hold integers or strings, not both or others. "
        f"Received: {', '.join(sorted(each.__name__ for each in types))}"
    )


def checked_matrix(distances: ArrayLike) -> NDArray:
    """Return the distances as an array, or raise ValueError if they are not a matrix."""
    return checked_shape(distances, "distances", "num_query, num_gallery")


def check_numbers(line: NDArray, row: int) -> None:
    """Raise ValueError if a row of distances holds NaN, which cannot be ranked."""
    if np.isnan(line).any():
        column = int(np.isnan(line).argmax())
        raise ValueError(
            f"`distances` must not hold NaN. Received: NaN in row {row}, column {column}"
        )


def _chosen(queries: int | Sequence[int] | None, count: int) -> list[int]:
    """Return the chosen queries as indices."""
    if queries is None:
        return list(range(count))
    indices = np.atleast_1d(as_array(queries, "queries"))
    if indices.dtype.kind not in "iu" or indices.ndim > 1 or not indices.size:
        raise ValueError(f"`queries` must be integers. Received: {queries!r}")
    if indices.min() < 0 or indices.max() >= count:
        raise ValueError(f"`queries` must be between 0 and {count - 1}. Received: {queries!r}")
    return [int(index) for index in indices]
