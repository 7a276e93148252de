"""The decision whether two images show the same person."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.runtime.images import to_pixels

if TYPE_CHECKING:
    from keras_osnet.runtime.embedder import Embedder


@dataclass(frozen=True)
class SamePerson:
    """Whether two images show the same person; true in a condition if they do.

    Attributes:
        same: Whether `similarity` is at least `threshold`.
        similarity: Cosine similarity of the two embeddings, from -1 to 1.
        threshold: That of the file.
    """

    same: bool
    similarity: float
    threshold: float

    def __bool__(self) -> bool:
        return self.same


def compare(embedder: "Embedder", first: Any, second: Any) -> SamePerson:
    """Compare two images or embeddings; see `Embedder.same_person`."""
    threshold = embedder.metadata.threshold
    if threshold is None:
        raise ValueError(
            "`same_person` needs a threshold, and the file has none: `keras-osnet threshold "
            f"--weights {embedder.path} --data DIR` chooses one on your images, and writes it into "
            f"a file that keras-osnet exported. Received: {embedder.path}"
        )
    sides = [
        _vector_or_pixels(name, each, embedder)
        for name, each in (("first", first), ("second", second))
    ]
    images = [each for each in sides if each.ndim == 3]
    embedded = iter(embedder.embed(np.stack(images)).astype(np.float64) if images else ())
    one, other = (next(embedded) if each.ndim == 3 else each for each in sides)
    similarity = float(np.clip(np.dot(one, other), -1, 1))  # of float32 vectors: 1 + 1e-7
    return SamePerson(similarity >= threshold.similarity, similarity, threshold.similarity)


def _vector_or_pixels(name: str, value: Any, embedder: "Embedder") -> NDArray:
    """Return an embedding at length 1, or one image of the model's size.

    Raises:
        ImageReadError: It is a file that cannot be read as an image.
        TypeError: It is of another type.
        ValueError: It is an array of another shape, or several images.
    """
    if isinstance(value, np.ndarray) and value.ndim < 3:
        return _unit_vector(name, value, embedder.dim)
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 4):
        if len(value) != 1:
            raise ValueError(f"`{name}` must be one image. Received: {len(value)} images")
        value = value[0]
    return to_pixels(value, name, embedder.image_size)


def _unit_vector(name: str, values: NDArray, dim: int) -> NDArray[np.float64]:
    if values.shape != (dim,) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be an image, or an embedding of {dim} finite numbers. "
            f"Received: shape {values.shape}, dtype {values.dtype}"
        )
    vector = values.astype(np.float64)
    vector /= np.abs(vector).max() or 1.0  # squares of large values overflow
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
