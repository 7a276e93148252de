"""Batches: loaded ahead by a thread, and padded to one shape."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Result = TypeVar("_Result")

_AHEAD = 2
_END = object()


def loaded_ahead(load: Callable[[Any], _Result], chunks: Iterable[Any]) -> Iterator[_Result]:
    """Yield `load(chunk)` of each chunk; a thread gets and loads the next two while one is used."""
    iterator = iter(chunks)

    def following() -> Any:
        chunk = next(iterator, _END)
        return _END if chunk is _END else load(chunk)

    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = deque(reader.submit(following) for _ in range(_AHEAD))
        while (loaded := waiting.popleft().result()) is not _END:
            waiting.append(reader.submit(following))
            yield loaded


def padded(images: NDArray, size: int) -> NDArray:
    """Append black images until there are `size`, so that every batch has the same shape.

    The results of the others stay the same: in inference, images do not affect each other.
    """
    missing = size - len(images)
    return np.pad(images, [(0, missing), *[(0, 0)] * (images.ndim - 1)]) if missing else images
