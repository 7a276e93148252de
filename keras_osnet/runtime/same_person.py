"""The decision whether two images show the same person."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.runtime.images import listed

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
        _vector_or_image(*each, embedder.dim) for each in (("first", first), ("second", second))
    ]
    images = [each for each in sides if not _is_vector(each)]
    embedded = iter(embedder.embed(images).astype(np.float64) if images else ())
    one, other = (each if _is_vector(each) else next(embedded) for each in sides)
    similarity = float(np.clip(np.dot(one, other), -1, 1))  # of float32 vectors: 1 + 1e-7
    return SamePerson(similarity >= threshold.similarity, similarity, threshold.similarity)


def _is_vector(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1


def _vector_or_image(name: str, value: Any, dim: int) -> Any:
    """Return an embedding at length 1, or one image.

    Raises:
        ValueError: It is neither.
    """
    if _is_vector(value):
        return _unit_vector(name, value, dim)
    images = listed(value)
    if len(images) != 1:
        raise ValueError(f"`{name}` must be one image. Received: {len(images)} images")
    return images[0]


def _unit_vector(name: str, values: NDArray, dim: int) -> NDArray[np.float64]:
    if values.shape != (dim,) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be an image, or an embedding of {dim} finite numbers. "
            f"Received: shape {values.shape}, dtype {values.dtype}"
        )
    vector = values.astype(np.float64)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
