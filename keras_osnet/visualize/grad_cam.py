"""Explanations of a prediction: Grad-CAM, Score-CAM and saliency.

They are computed by tf-keras-vis, which needs TensorFlow. It takes models with one float32 output
and one score per image; the private part of this module adapts an OSNet to that.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, positive_integer
from keras_osnet._utils.optional import require
from keras_osnet.architecture.model import ends_in_classifier, feature_extractor
from keras_osnet.evaluation.embed import preparation, resolve_image_size
from keras_osnet.visualize._images import listed_images, read_images
from keras_osnet.visualize.feature_maps import layer_of
from keras_osnet.visualize.maps import unit_range

Score = Callable[[Any], Any]

_PURPOSE = "Grad-CAM, Score-CAM and saliency"


def grad_cam(
    model: keras.Model,
    images: Any,
    *,
    classes: ArrayLike | None = None,
    references: ArrayLike | None = None,
    layer: str = "conv5",
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
) -> NDArray[np.float32]:
    """Weight a layer's feature maps by the gradient of a score (Selvaraju et al., ICCV 2017).

    The score is the logit of a class or attribute, or for an embedding the cosine similarity to the
    embedding of another image.

    Args:
        model: A functional model with logits or an embedding: `keras_osnet.OSNet` with any head,
            with or without `include_preprocessing`, in any precision.
        images: Array (n, height, width, 3), uint8, RGB; files; or a folder.
        classes: Index of the class or attribute, one for each image (n,) or one for all. By
            default the one with the highest logit.
        references: Embeddings to be similar to, (n, dim), or one (dim,) for all, such as the
            query's. An image's own embedding gives empty maps: its similarity is at its maximum.
        layer: Name of the feature maps; see `feature_maps`.
        image_size: (height, width) that images are resized to; the model's own by default.
        batch_size: Number of images per batch.

    Returns:
        Array (n, h, w), float32, from 0 to 1 in each image, of the size of the feature maps; see
        `plot_maps`. All 0 where nothing supports the class.

    Raises:
        ValueError: If an argument is wrong, or Keras does not run on TensorFlow.
        ImageReadError: If files cannot be read.
        ImportError: If tf-keras-vis is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> images = synthetic_people(2, cameras=1, views=1, image_size=(64, 32)).images
        >>> model = keras_osnet.OSNet(0.25, classes=3, input_shape=(64, 32, 3))
        >>> grad_cam(model, images, classes=[0, 2]).shape
        (2, 4, 2)
    """
    target = explained(model, images, classes, references, image_size)
    batches = target.batches(positive_integer("batch_size", batch_size))
    network = tf_keras_vis("gradcam").Gradcam(target.model)
    options = _map_options(target.model, layer)
    return unit_range(np.concatenate([network(score, part, **options) for part, score in batches]))


def score_cam(
    model: keras.Model,
    images: Any,
    *,
    classes: ArrayLike | None = None,
    references: ArrayLike | None = None,
    layer: str = "conv5",
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
) -> NDArray[np.float32]:
    """Weight a layer's feature maps by the score of the image masked with each (Wang et al., 2020).

    Each feature map is used as a mask of the image, and the model scores the masked image: by a
    class's softmax probability, an attribute's logit, or an embedding's cosine similarity.
    It needs no gradients but one prediction per channel: 512 per image at width 1.0, against one
    for `grad_cam`.

    Args:
        model: As for `grad_cam`.
        images: As for `grad_cam`.
        classes: As for `grad_cam`.
        references: As for `grad_cam`.
        layer: As for `grad_cam`.
        image_size: As for `grad_cam`.
        batch_size: Number of masked images per batch.

    Returns:
        Array (n, h, w), float32, from 0 to 1 in each image, of the size of the feature maps.

    Raises:
        ValueError: As for `grad_cam`, as are the others.
        ImageReadError: If files cannot be read.
        ImportError: If tf-keras-vis is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> images = synthetic_people(1, cameras=1, views=1, image_size=(64, 32)).images
        >>> model = keras_osnet.OSNet(0.25, classes=3, input_shape=(64, 32, 3))
        >>> score_cam(model, images).shape
        (1, 4, 2)
    """
    positive_integer("batch_size", batch_size)
    target = explained(model, images, classes, references, image_size)
    asked_model = target.model if target.softmax else with_zero(target.model)
    network = tf_keras_vis("scorecam").Scorecam(asked_model)
    options = _map_options(target.model, layer)
    maps = []
    # One image at a time: all its masked copies are in memory at once.
    for part, score in target.batches(1):
        asked = score if target.softmax else without_softmax(score)
        maps.append(network(asked, part, batch_size=batch_size, **options))
    return unit_range(np.concatenate(maps))


def saliency_maps(
    model: keras.Model,
    images: Any,
    *,
    classes: ArrayLike | None = None,
    references: ArrayLike | None = None,
    samples: int = 0,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
) -> NDArray[np.float32]:
    """Return the gradient of the score with respect to each pixel (Simonyan et al., 2014).

    Args:
        model: As for `grad_cam`.
        images: As for `grad_cam`.
        classes: As for `grad_cam`.
        references: As for `grad_cam`.
        samples: Number of noisy copies to average over, SmoothGrad (Smilkov et al., 2017; usually
            20); 0 takes the image itself.
        image_size: As for `grad_cam`.
        batch_size: As for `grad_cam`.

    Returns:
        Array (n, height, width), float32, from 0 to 1 in each image: the largest absolute
        gradient of the three channels.

    Raises:
        ValueError: As for `grad_cam`, as are the others.
        ImageReadError: If files cannot be read.
        ImportError: If tf-keras-vis is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> images = synthetic_people(2, cameras=1, views=1, image_size=(64, 32)).images
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> query = model.predict(keras_osnet.preprocess_input(images[:1]), verbose=0)[0]
        >>> saliency_maps(model, images[1:], references=query).shape
        (1, 64, 32)
    """
    check_whole(0, samples=samples)
    target = explained(model, images, classes, references, image_size)
    batches = target.batches(positive_integer("batch_size", batch_size))
    network = tf_keras_vis("saliency").Saliency(target.model)
    options = {"smooth_samples": samples, "normalize_map": False}
    return unit_range(np.concatenate([network(score, part, **options) for part, score in batches]))


def _map_options(model: keras.Model, layer: str) -> dict[str, Any]:
    found = layer_of(model, layer)
    if isinstance(found.output, list | tuple) or len(found.output.shape) != 4:
        raise ValueError(
            "`layer` must be one that gives maps (batch, height, width, channels) and nothing "
            f"else. Received: {layer!r}"
        )
    return {
        "penultimate_layer": found,
        "seek_penultimate_conv_layer": False,
        "expand_cam": False,
        "normalize_cam": False,
    }


class _QuietModel(keras.Model):
    """A model whose `predict`, which Score-CAM calls, shows no progress bar."""

    def predict(self, x: Any, **options: Any) -> Any:
        return super().predict(x, **{**options, "verbose": 0})


@dataclass(frozen=True, eq=False)
class Target:
    """A model, images, and the score of each image to explain.

    Attributes:
        model: List of one image tensor in, list of one output (batch, dim) out, all in float32:
            the logits of a classifier, or the embedding.
        images: Array (n, height, width, 3), float32, as the model takes them.
        goals: Array (n,) of classes, or (n, dim) of embeddings of length 1.
        softmax: Whether the model turns these logits into probabilities by a softmax.
    """

    model: keras.Model
    images: NDArray[np.float32]
    goals: NDArray
    softmax: bool

    def batches(self, batch_size: int) -> Iterator[tuple[NDArray[np.float32], Score]]:
        """Yield images and the function that scores the model's outputs: (n, dim) to (n,)."""
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
    """Check the arguments of `grad_cam` and prepare them for tf-keras-vis."""
    require("tf_keras_vis", _PURPOSE, extra="visualize")
    if keras.backend.backend() != "tensorflow":  # tf-keras-vis takes TensorFlow's gradients
        raise ValueError(
            f"{_PURPOSE} need Keras on TensorFlow: set KERAS_BACKEND=tensorflow. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    classifies = ends_in_classifier(model) and references is None
    images = listed_images(images)
    pixels = np.stack(read_images(images, resolve_image_size(model, image_size)))
    network = in_float32(model)
    output = network.get_layer("logits").output if classifies else feature_extractor(network).output
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


def tf_keras_vis(module: str) -> ModuleType:
    """Return a module of tf-keras-vis, without the warning of its deprecated SciPy import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return require(f"tf_keras_vis.{module}", _PURPOSE, extra="visualize")


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model that computes in float32: itself, or a copy of one of mixed precision.

    Gradients in float16 vanish without a loss scale, and tf-keras-vis does not support bfloat16.
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
            f"images or one for all. Received: {classes!r}"
        )
    return np.broadcast_to(values, (count,)).astype(np.int64)


def _references(references: ArrayLike | None, count: int, dim: int) -> NDArray[np.float32]:
    if references is None:
        raise ValueError(
            "`references` must be given for a model that ends in an embedding: the embeddings "
            "to be similar to. Received: references=None"
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
    """Append a zero to a model's outputs, which `without_softmax` needs."""
    padded = keras.ops.pad(model.outputs[0], [[0, 0], [0, 1]])
    return _QuietModel(model.inputs, [padded], name=model.name)


def without_softmax(score: Score) -> Score:
    """Undo the softmax that Score-CAM applies to all outputs, before they are scored.

    The outputs end in a zero (`with_zero`), which reveals the divisor of the softmax.
    """
    import tensorflow as tf

    def undone(shares: Any) -> Any:
        logarithms = tf.math.log(shares)
        return score(logarithms[:, :-1] - logarithms[:, -1:])

    return undone
