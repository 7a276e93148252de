"""Embed image files with one Keras model or several."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.batches import loaded_ahead, padded
from keras_osnet._utils.checks import boolean, check_image_size, positive_integer
from keras_osnet.architecture.naming import is_finite
from keras_osnet.architecture.preprocessing import preprocess_input, takes_pixels
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.load_images import load_images
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.metrics.features import concatenate_features, flip_average


def embed_images(
    model: keras.Model,
    paths: Sequence[str | os.PathLike[str]],
    *,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
    flip: bool = False,
    skip_unreadable: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EmbeddedImages:
    """Compute the embeddings of image files, reading ahead in a thread while the model runs.

    Args:
        model: A model with one output (batch, dim), such as
            `keras_osnet.OSNet(head="embedding", weights=…)`. Models with and
            without `include_preprocessing` get pixels and preprocessed images, respectively.
        paths: The files.
        image_size: (height, width) that images are resized to; the model's own by default.
        batch_size: Number of images per batch.
        flip: Whether to average the embedding of every image with that of its mirror image, which
            takes twice as long; see `keras_osnet.metrics.flip_average`.
        skip_unreadable: Whether to skip files that cannot be read: they are listed in the result's
            `unreadable`, and its `paths` are the others. If False, the result has one row for each
            of `paths`, in the same order.
        progress: Called after every batch with the number of files processed so far.

    Raises:
        ImageReadError: A file cannot be read, and `skip_unreadable` is False.
        ValueError: There are no paths, the model's output is not of the shape above, `image_size`
            is needed, `batch_size` is not positive, or an embedding is not finite.
        ImportError: Pillow is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.evaluation import embed_images
        >>> people = write_synthetic_people(getfixture("tmp_path"), 2, views=1, image_size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> embed_images(model, [person.path for person in people]).vectors.shape
        (4, 512)
    """
    files = _checked_paths(paths)
    flip = boolean("flip", flip)
    dimension, image_size = check_embedder(model, image_size)
    # All batches, the last included, have one shape: another one would be compiled again.
    batch_size = min(positive_integer("batch_size", batch_size), len(files))
    prepare = preparation(model)
    chunks = [files[start : start + batch_size] for start in range(0, len(files), batch_size)]

    vectors = [np.empty((0, dimension), np.float32)]
    readable: list[Path] = []
    unreadable: dict[Path, str] = {}
    done = 0
    all_loaded = loaded_ahead(lambda chunk: load_images(chunk, image_size), chunks)
    for chunk, loaded in zip(chunks, all_loaded, strict=True):
        if loaded.unreadable and not skip_unreadable:
            raise ImageReadError(loaded.unreadable)
        if loaded.paths:
            batch = _predict(model, prepare(loaded.images), batch_size, loaded.paths)
            if flip:
                mirror_images = np.ascontiguousarray(loaded.images[:, :, ::-1])
                mirrored = _predict(model, prepare(mirror_images), batch_size, loaded.paths)
                batch = flip_average(batch, mirrored)
            vectors.append(batch)
        readable += loaded.paths
        unreadable |= loaded.unreadable
        done += len(chunk)
        if progress is not None:
            progress(done)
    return EmbeddedImages(np.concatenate(vectors), readable, unreadable)


def embed_by_all(
    models: Sequence[keras.Model],
    paths: Sequence[Path],
    *,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
    flip: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EmbeddedImages:
    """Compute the embeddings of image files by several models and concatenate them.

    The embeddings of each model are scaled to unit length; see
    `keras_osnet.metrics.concatenate_features`. Those of a single model are not scaled. The models
    run one after the other, so each may have its own image size.

    Args:
        models: Models as for `embed_images`.
        paths: The files. Unreadable ones are skipped and listed in the result.
        image_size: (height, width) that images are resized to; each model's own by default.
        batch_size: Number of images per batch.
        flip: As for `embed_images`.
        progress: Called after every batch with the number of files processed so far; files count
            once per model.

    Raises:
        ValueError: There are no models, or `embed_images` would raise one.
        ImportError: Pillow is not installed.
    """
    if len(models) == 1:
        return embed_images(
            models[0],
            paths,
            image_size=image_size,
            batch_size=batch_size,
            flip=flip,
            skip_unreadable=True,
            progress=progress,
        )
    # Check all models before the first one runs, which may take hours.
    dimension = sum(check_embedder(model, image_size)[0] for model in models)

    parts: list[np.ndarray] = []
    files = list(paths)
    unreadable: dict[Path, str] = {}
    for number, model in enumerate(models):
        if not files:
            break
        before = number * len(paths) + len(paths) - len(files)
        embedded = embed_images(
            model,
            files,
            image_size=image_size,
            batch_size=batch_size,
            flip=flip,
            skip_unreadable=True,
            progress=progress and _counting_from(before, progress),
        )
        if embedded.unreadable and parts:  # deleted since the previous model read them
            kept = np.array([path not in embedded.unreadable for path in files])
            parts = [part[kept] for part in parts]
        parts.append(embedded.vectors)
        files = embedded.paths
        unreadable |= embedded.unreadable
    vectors = concatenate_features(parts) if files else np.empty((0, dimension), np.float32)
    return EmbeddedImages(vectors, files, unreadable)


def check_embedder(
    model: keras.Model, image_size: tuple[int, int] | None
) -> tuple[int, tuple[int, int]]:
    """Return the embedding length and the image size (height, width) of a model.

    Raises:
        ValueError: The model has no single output (batch, dim), or the size does not fit it.
    """
    checked_models([model])
    return _embedding_length(model), resolve_image_size(model, image_size)


def _predict(
    model: keras.Model, images: NDArray, batch_size: int, names: Sequence[Path]
) -> NDArray[np.float32]:
    """Embed at most one batch, padded to `batch_size`."""
    batch = padded(images, batch_size)
    vectors = np.asarray(model.predict_on_batch(batch)[: len(images)], np.float32)
    check_finite(model, vectors, names)
    return vectors


def check_finite(model: keras.Model, outputs: NDArray, names: Sequence[Any]) -> None:
    """Raise ValueError if an output (batch, dim) of a model for the named images is not finite."""
    finite = np.isfinite(outputs).all(axis=1)
    if finite.all():
        return
    first = int(np.argmin(finite))
    value = outputs[first][~np.isfinite(outputs[first])][0]
    weight = next((each.path for each in model.weights if not is_finite(each)), None)
    raise ValueError(
        "`model` must return finite values. "
        f"Received: {value} of {model.name} for {names[first]}, and for "
        f"{np.count_nonzero(~finite)} of {len(finite)} images of its batch; "
        + (f"its weights are not finite: {weight}" if weight else "its weights are finite")
    )


def checked_models(models: Any) -> list[keras.Model]:
    """Return one model or several as a list, or raise ValueError if one cannot get images."""
    listed = list(models) if isinstance(models, list | tuple) else [models]
    if not listed:
        raise ValueError("`model` must be a model or a list of at least one. Received: none")
    for model in listed:
        if not isinstance(model, keras.Model):
            raise ValueError(
                "`model` must be a Keras model, such as `keras_osnet.load_model` returns. "
                f"Received: {model!r:.200}"
            )
        shape = getattr(model, "input_shape", None) if model.built else None
        if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (3, None):
            raise ValueError(
                "`model` must have one input (batch, height, width, 3), of RGB images. "
                f"Received: {model.name} with input of shape {shape}"
            )
    return listed


def _checked_paths(paths: Any) -> list[Path]:
    if isinstance(paths, str | bytes | os.PathLike) or not isinstance(paths, Iterable):
        raise ValueError(f"`paths` must be a list of image files. Received: {paths!r:.200}")
    listed = list(paths)
    for path in listed:
        if not isinstance(path, str | os.PathLike):
            raise ValueError(
                "`paths` must hold paths of image files, such as [person.path for person in "
                f"people]. Received: {path!r:.200}"
            )
    if not listed:
        raise ValueError("`paths` must name at least one image. Received: none")
    return [Path(path) for path in listed]


def preparation(model: keras.Model) -> Callable[[NDArray], Any]:
    """Return the function from pixels (batch, height, width, 3) to the input of a model."""
    if takes_pixels(model):
        return lambda images: images
    return preprocess_input


def _embedding_length(model: keras.Model) -> int:
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        raise ValueError(
            '`model` must have one output (batch, dim), as OSNet(head="embedding") has. '
            f"Received: output of shape {shape}"
        )
    return shape[1]


def resolve_image_size(model: keras.Model, image_size: tuple[int, int] | None) -> tuple[int, int]:
    """Return the (height, width) of the images of a model: `image_size`, or else its own.

    Raises:
        ValueError: The model takes images of any size and none is given, or it takes another.
    """
    own = tuple(model.input_shape[1:3])
    if image_size is not None:
        check_image_size(image_size)
    wanted = own if image_size is None else tuple(image_size)
    fits = all(fixed in (None, asked) for fixed, asked in zip(own, wanted, strict=True))
    if None in wanted or not fits:
        raise ValueError(
            "`image_size` must be given for a model that takes images of any size, and agree with "
            f"one that does not. Received: image_size={image_size}, model of images {own}"
        )
    return wanted[0], wanted[1]


def _counting_from(before: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    return lambda done: progress(before + done)
