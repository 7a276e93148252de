"""The embeddings of several models as one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_osnet.data.embedded_images import EmbeddedImages
from keras_osnet.data.images import UnreadableImageError
from keras_osnet.evaluation.embed import check_embedder, embed_images
from keras_osnet.metrics.features import concatenate


def embed_by_all(
    models: Sequence[keras.Model],
    paths: Sequence[Path],
    *,
    size: tuple[int, int] | None = None,
    batch_size: int = 32,
    flip: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EmbeddedImages:
    """Compute the embeddings of image files by several models, and put them side by side.

    Each model's embeddings are scaled to unit length; see `keras_osnet.metrics.concatenate`.
    Those of a model that is alone stay as they are, as without an ensemble.
    The models work one after the other, so each may take images of its own size.

    Args:
        models: Models such as `keras_osnet.evaluation.embed_images` takes.
        paths: The files. One that cannot be read is reported in the result and does not stop the
            others.
        size: (height, width) that images are resized to; each model's own by default.
        batch_size: How many images a model takes at once.
        flip: As for `embed_images`.
        progress: Called after every batch with the number of files done so far; it counts the
            files once for each model.

    Raises:
        ValueError: There are no models, or for what `embed_images` refuses.
        ImportError: Pillow is not installed.
    """
    if not models:
        raise ValueError("`model` must be a model, or at least one in a list. Received: none")
    if len(models) == 1:
        return embed_images(
            models[0],
            paths,
            size=size,
            batch_size=batch_size,
            flip=flip,
            skip_unreadable=True,
            progress=progress,
        )
    # Of all models before the first gets to work, which may be for hours.
    dimension = sum(check_embedder(model, size)[0] for model in models)

    parts: list[np.ndarray] = []
    files = list(paths)
    unreadable: list[UnreadableImageError] = []
    for number, model in enumerate(models):
        if not files:
            break
        before = number * len(paths) + len(paths) - len(files)
        embedded = embed_images(
            model,
            files,
            size=size,
            batch_size=batch_size,
            flip=flip,
            skip_unreadable=True,
            progress=progress and _counting_from(before, progress),
        )
        if embedded.unreadable and parts:  # gone since the model before read them
            lost = {error.path for error in embedded.unreadable}
            kept = np.array([path not in lost for path in files])
            parts = [part[kept] for part in parts]
        parts.append(embedded.vectors)
        files = embedded.paths
        unreadable += embedded.unreadable
    vectors = concatenate(parts) if files else np.empty((0, dimension), np.float32)
    return EmbeddedImages(vectors, files, unreadable)


def _counting_from(before: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    return lambda done: progress(before + done)
