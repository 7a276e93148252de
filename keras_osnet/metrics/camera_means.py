"""Removal of the mean embedding of each camera: the light and background that its images share."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_dictionary
from keras_osnet.metrics.features import as_array, checked_features, scale_to_unit
from keras_osnet.metrics.ranked_lists import checked_codes

_ROUNDING = 1e-6


def camera_means(features: ArrayLike, cameras: ArrayLike) -> dict[int | str, NDArray[np.float64]]:
    """Return the mean of the embeddings of each camera, at length 1, for `remove_camera_means`.

    Identities are not needed. Use images of many people, ideally the same people under all cameras:
    what differs between the people under two cameras is removed, too.

    Args:
        features: Array (num_images, dim) of any real dtype.
        cameras: Camera of each image (num_images,), integers or strings.

    Returns:
        The mean of each camera, array (dim,).

    Raises:
        ValueError: Arrays are not as above, or an embedding is NaN or infinite.
        TypeError: Cameras are neither integers nor strings.

    Example:
        >>> means = camera_means([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]], ["a", "a", "b"])
        >>> means["a"].tolist(), means["b"].tolist()
        ([0.5, 0.5], [0.0, 1.0])
    """
    units = scale_to_unit(checked_features(features, "features"))
    labels, codes = checked_codes(cameras, "cameras", len(units))
    sums = np.zeros((len(labels), units.shape[1]))
    np.add.at(sums, codes, units)
    means = sums / np.bincount(codes)[:, None]
    return dict(zip(labels.tolist(), means, strict=True))


def remove_camera_means(
    features: ArrayLike,
    cameras: ArrayLike,
    means: Mapping[int | str, ArrayLike] | None = None,
) -> NDArray[np.float32]:
    """Subtract from every embedding the mean of its camera.

    What the images of a camera have in common says nothing about the person. On cameras that the
    network was not trained on, this raised rank-1 and mAP by several points (docs/evaluate.md).

    Args:
        features: Array (num_images, dim) of any real dtype.
        cameras: Camera of each image (num_images,), integers or strings.
        means: From `camera_means` of other images of the same cameras; by default those of
            `features`. The means of a few people also remove what these people have in common.

    Returns:
        Array (num_images, dim), float32, rows of length 1, or 0, such as that of the only image of
        a camera.

    Raises:
        ValueError: Arrays or means are not as above, an embedding is NaN or infinite, or there is
            no mean of a camera.
        TypeError: Cameras are neither integers nor strings.

    Example:
        >>> remove_camera_means([[1.0, 0.0], [0.0, 1.0]], [1, 1]).astype(float).round(3).tolist()
        [[0.707, -0.707], [-0.707, 0.707]]
    """
    units = scale_to_unit(checked_features(features, "features"))
    labels, codes = checked_codes(cameras, "cameras", len(units))
    if means is None:
        means = camera_means(units, cameras)
    check_dictionary("means", means)
    for code, camera in enumerate(labels.tolist()):
        if camera not in means:
            raise ValueError(
                f"`means` must have the mean of every camera. Received: none of {camera!r}, "
                f"means of {list(means)!s:.200}"
            )
        name = f"means[{camera!r}]"
        mean = checked_features(as_array(means[camera], name)[None], name)
        if mean.shape[1:] != units.shape[1:]:
            raise ValueError(
                f"`{name}` must be an array of {units.shape[1]} numbers. "
                f"Received: shape {mean.shape[1:]}"
            )
        units[codes == code] -= mean
    # What rounding leaves of a vector that is its camera's mean would become any vector.
    units[np.einsum("ij,ij->i", units, units) < _ROUNDING**2] = 0.0
    return scale_to_unit(units).astype(np.float32)
