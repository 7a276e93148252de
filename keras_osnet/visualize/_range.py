"""Maps of any scale to 0–1."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unit_range(maps: ArrayLike) -> NDArray[np.float32]:
    """Scale each map (…, height, width) so that it reaches from 0 to 1; a flat one becomes 0.

    No epsilon is added to what it divides by: gradients may be of that order.
    """
    values = np.asarray(maps, np.float64)
    low = values.min(axis=(-2, -1), keepdims=True)
    span = values.max(axis=(-2, -1), keepdims=True) - low
    return ((values - low) / np.where(span > 0, span, 1)).astype(np.float32)
