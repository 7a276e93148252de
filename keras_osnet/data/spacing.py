"""A few of many, from all over them."""

import numpy as np


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most `most` of the indices 0 to count - 1, from the first to the last."""
    return [int(index) for index in np.linspace(0, count - 1, min(count, most)).round()]
