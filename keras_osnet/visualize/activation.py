"""Where a network looks: its last maps, summed over channels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def activation_maps(features: ArrayLike) -> NDArray[np.float32]:
    """Sum maps over channels and normalise them over the picture (paper, Fig. 6).

    The paper takes "the sum of absolute-valued feature maps along the channel dimension followed by
    a spatial l2 normalisation". torchreid's script, which many figures are made with, sums
    *squares* instead: its maps have fewer and sharper peaks than these.

    Args:
        features: Array (n, height, width, channels), real, of any dtype: a stage's maps, usually
            `conv5`, the last before pooling; see `intermediates`.

    Returns:
        Array (n, height, width), float32, not negative; the squares of each map add up to 1, or to
        0 where nothing was active.

    Raises:
        ValueError: If the shape is another, or a number is NaN or infinite.

    Example:
        >>> activation_maps([[[[3.0, 0.0], [-2.0, 2.0]]]]).round(1).tolist()
        [[[0.6000000238418579, 0.800000011920929]]]
    """
    values = np.asarray(features)
    if values.ndim != 4 or 0 in values.shape:
        raise ValueError(
            "`features` must be an array (n, height, width, channels). "
            f"Received: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`features` must be finite. Received: NaN or infinity")
    sums = np.abs(values.astype(np.float64)).sum(axis=-1)
    norms = np.sqrt(np.square(sums).sum(axis=(1, 2), keepdims=True))
    return (sums / np.where(norms > 0, norms, 1)).astype(np.float32)
