"""Batches: loaded ahead by a thread, and padded to one shape."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Result = TypeVar("_Result")

_AHEAD = 2


def loaded_ahead(load: Callable[[Any], _Result], chunks: Sequence[Any]) -> Iterator[_Result]:
    """Yield `load(chunk)` of each chunk; a thread loads the next two while one is used."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = deque(reader.submit(load, chunk) for chunk in chunks[:_AHEAD])
        for index in range(len(chunks)):
            loaded = waiting.popleft().result()
            for following in chunks[index + _AHEAD : index + _AHEAD + 1]:
                waiting.append(reader.submit(load, following))
            yield loaded


def padded(images: NDArray, size: int) -> NDArray:
    """Append black images until there are `size`, so that every batch has the same shape.

    The results of the others stay the same: in inference, images do not affect each other.
    """
    missing = size - len(images)
    return np.pad(images, [(0, missing), *[(0, 0)] * (images.ndim - 1)]) if missing else images
