"""Identities and cameras of both sides of an evaluation, as codes that compare fast."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Labels:
    """Who is on the pictures and which camera took them, as integer codes.

    Codes are equal where the labels are, on one side and across the two.

    Attributes:
        query_ids: Array (num_query,), int64.
        gallery_ids: Array (num_gallery,), int64.
        query_cameras: Array (num_query,), int64.
        gallery_cameras: Array (num_gallery,), int64. Without cameras, those of the queries and
            those of the gallery have nothing in common.
        cameras_given: Whether there are cameras.
    """

    query_ids: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]
    cameras_given: bool

    def found_by(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the gallery images of a query's identity: its matches, and those left out.

        Those under the query's own camera are left out.

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
        """The gallery images, one identity after the other, and the identities in that order."""
        order = np.argsort(self.gallery_ids, kind="stable")
        return order, self.gallery_ids[order]

    def error_if_no_match(self) -> ValueError:
        """Return what to raise when no query finds a match in the gallery."""
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
    """Check the labels of an evaluation and turn them into codes.

    Args:
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        shape: (num_query, num_gallery).
        beside: What has that shape, for the errors.

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
    query: ArrayLike, gallery: ArrayLike, what: str, shape: tuple[int, int], beside: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    sides = []
    for side, values, length in zip(("query", "gallery"), (query, gallery), shape, strict=True):
        array = np.asarray(values)
        if array.shape != (length,):
            raise ValueError(
                f"`{side}_{what}` must have shape ({length},) to go with the {beside}. "
                f"Received: {side}_{what} of shape {array.shape}, {beside} of shape {shape}"
            )
        if array.dtype == object:  # strings from pandas, for one
            array = np.asarray(array.tolist())
        if array.dtype.kind not in "iuUS":
            raise TypeError(
                f"`{side}_{what}` must hold integers or strings. Received: dtype {array.dtype}"
            )
        # int64 and uint64 together would become float64, which confuses large integers.
        sides.append(array.astype(np.int64) if array.dtype.kind == "u" else array)
    if sides[0].dtype.kind != sides[1].dtype.kind:
        raise TypeError(
            f"`query_{what}` and `gallery_{what}` must be of the same kind. "
            f"Received: dtypes {sides[0].dtype} and {sides[1].dtype}"
        )
    codes = np.unique(np.concatenate(sides), return_inverse=True)[1]
    return codes[: shape[0]], codes[shape[0] :]
