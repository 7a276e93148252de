"""tf-keras-vis's view of a model: one float32 output, one score a picture."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.architecture.feature_extractor import embedder, ends_in_classifier
from keras_osnet.evaluation.embed import preparation
from keras_osnet.visualize._pictures import listed_pictures, read_pictures
from keras_osnet.visualize._require import require
from keras_osnet.visualize.feature_maps import resolve_image_size

Score = Callable[[Any], Any]

_PURPOSE = "Grad-CAM, Score-CAM and saliency"


class _QuietModel(keras.Model):
    """A model whose `predict`, which Score-CAM calls, shows no progress bar."""

    def predict(self, x: Any, **options: Any) -> Any:
        return super().predict(x, **{**options, "verbose": 0})


@dataclass(frozen=True, eq=False)
class Target:
    """A model, pictures, and the number for each picture that is to be explained.

    Attributes:
        model: List of one image tensor in, list of one output (batch, dim) out, all in float32:
            the logits of a classifier, or the embedding.
        images: Array (n, height, width, 3), float32, as the model takes them.
        goals: Array (n,) of classes, or (n, dim) of embeddings of length 1.
        softmax: Whether the model's user sees probabilities by softmax of these logits.
    """

    model: keras.Model
    images: NDArray[np.float32]
    goals: NDArray
    softmax: bool

    def batches(self, batch_size: int) -> Iterator[tuple[NDArray[np.float32], Score]]:
        """Yield pictures and what scores the model's output on them: n numbers from (n, dim)."""
        for start in range(0, len(self.images), batch_size):
            part = slice(start, start + batch_size)
            yield self.images[part], _score(self.goals[part])


def explained(
    model: keras.Model,
    images: Any,
    classes: ArrayLike | None,
    references: ArrayLike | None,
    image_size: tuple[int, int] | None,
) -> Target:
    """Check what is to be explained, and make of it what tf-keras-vis takes.

    Args:
        model: As for `grad_cam`, as are the others.
        images: The pictures.
        classes: Index of a class or attribute for each picture, or one for all.
        references: An embedding for each picture, or one for all.
        image_size: (height, width) of the pictures.
    """
    check_tensorflow()
    classifies = ends_in_classifier(model) and references is None
    pictures = listed_pictures(images)
    pixels = np.stack(read_pictures(pictures, resolve_image_size(model, image_size)))
    network = in_float32(model)
    output = network.get_layer("logits").output if classifies else embedder(network).output
    target = _QuietModel([network.inputs[0]], [output], name=model.name)
    prepared = np.asarray(preparation(model)(pixels), np.float32)
    count = len(pixels)
    if classifies:
        last = network.layers[-1]
        softmax = last.name == "logits" or last.activation is keras.activations.softmax
        goals = _classes(classes, count, output.shape[-1])
        if goals is None:
            goals = np.argmax(target.predict(prepared), axis=-1).reshape(count)
        return Target(target, prepared, goals, softmax)
    if classes is not None:
        raise ValueError(
            "`classes` needs a model that ends in a classifier; for an embedding give "
            f"`references`. Received: {model.name} and classes={classes!r}"
        )
    return Target(target, prepared, _references(references, count, output.shape[-1]), False)


def check_tensorflow() -> None:
    """Raise unless tf-keras-vis is installed and Keras runs on TensorFlow.

    Raises:
        ImportError: If tf-keras-vis is not installed.
        ValueError: If Keras runs on another backend, whose gradients tf-keras-vis cannot take.
    """
    require("tf_keras_vis", _PURPOSE)
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"{_PURPOSE} need Keras on TensorFlow: set KERAS_BACKEND=tensorflow. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )


def tf_keras_vis(module: str) -> ModuleType:
    """Return a module of tf-keras-vis, which imports `zoom` from where SciPy had it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return require(f"tf_keras_vis.{module}", _PURPOSE)


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model that computes in float32: itself, or a copy of one of mixed precision.

    Gradients of float16 without a loss scale vanish, and bfloat16 is none that tf-keras-vis knows.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def in_full(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=in_full)
    copy.set_weights(model.get_weights())
    return copy


def _classes(classes: ArrayLike | None, count: int, known: int) -> NDArray[np.int64] | None:
    if classes is None:
        return None
    values = np.asarray(classes)
    fits = values.dtype.kind in "iu" and values.shape in ((), (count,))
    if not fits or not ((values >= 0) & (values < known)).all():
        raise ValueError(
            f"`classes` must be whole numbers from 0 to {known - 1}, one for each of the {count} "
            f"pictures or one for all. Received: {classes!r}"
        )
    return np.broadcast_to(values, (count,)).astype(np.int64)


def _references(references: ArrayLike | None, count: int, dim: int) -> NDArray[np.float32]:
    if references is None:
        raise ValueError(
            "`references` must be given for a model that ends in an embedding: what its pictures "
            "are to be alike to. Received: references=None"
        )
    values = np.asarray(references)
    if values.shape not in ((dim,), (count, dim)) or not np.isfinite(values).all():
        raise ValueError(
            f"`references` must be finite embeddings of shape ({dim},) or ({count}, {dim}). "
            f"Received: shape {values.shape}"
        )
    values = np.broadcast_to(values, (count, dim)).astype(np.float32)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    if not (norms > 0).all():
        raise ValueError("`references` must not be zero. Received: an embedding of zeros")
    return values / norms


def _score(goals: NDArray) -> Score:
    import tensorflow as tf

    if goals.ndim == 1:
        return lambda outputs: tf.gather(outputs, goals, axis=1, batch_dims=1)
    return lambda outputs: tf.reduce_sum(tf.math.l2_normalize(outputs, axis=-1) * goals, axis=-1)


def with_zero(model: keras.Model) -> keras.Model:
    """Return a target's model with a zero behind its outputs, which `without_softmax` needs."""
    padded = keras.ops.pad(model.outputs[0], [[0, 0], [0, 1]])
    return _QuietModel(model.inputs, [padded], name=model.name)


def without_softmax(score: Score) -> Score:
    """Return a score for outputs that Score-CAM has put through a softmax, right or not.

    The softmax of outputs with a zero behind them can be undone: the zero tells what the others
    were divided by.
    """
    import tensorflow as tf

    def undone(shares: Any) -> Any:
        logarithms = tf.math.log(shares)
        return score(logarithms[:, :-1] - logarithms[:, -1:])

    return undone
