"""Which parts of a picture a network's answer hangs on: Grad-CAM, Score-CAM, saliency.

They are tf-keras-vis's, which needs TensorFlow; `_target` makes of an OSNet what it takes.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, positive_integer
from keras_osnet.visualize._range import unit_range
from keras_osnet.visualize._target import explained, tf_keras_vis, with_zero, without_softmax
from keras_osnet.visualize.feature_maps import layer_of


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
    """Weight a layer's maps by the gradient of the answer (Selvaraju et al., ICCV 2017).

    What is explained is a class or attribute (its logit), or for an embedding the likeness to
    another picture (the cosine similarity to its embedding).

    Args:
        model: A functional model with logits or an embedding: `keras_osnet.OSNet` with any head,
            with or without `include_preprocessing`, in any precision.
        images: Array (n, height, width, 3), uint8, RGB; files; or a folder.
        classes: Index of the class or attribute, one for each picture (n,) or one for all. By
            default the one with the highest logit.
        references: Embeddings (n, dim), or one (dim,) for all: of the query that the pictures were
            found for. A picture's own embedding explains nothing: nothing makes it more alike.
        layer: Whose maps, a name as `intermediates` has them.
        image_size: (height, width) that images are resized to; the model's own by default.
        batch_size: How many images the model takes at once.

    Returns:
        Array (n, h, w), float32, from 0 to 1 in each picture, of the size of the layer's maps; see
        `plot_maps`. All 0 where nothing speaks for the class.

    Raises:
        ValueError: If an argument is wrong, or Keras does not run on TensorFlow.
        ImageReadError: If files cannot be read.
        ImportError: If tf-keras-vis is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> pictures = synthetic_people(2, cameras=1, views=1, image_size=(64, 32)).images
        >>> model = keras_osnet.OSNet(0.25, classes=3, input_shape=(64, 32, 3))
        >>> grad_cam(model, pictures, classes=[0, 2]).shape
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
    """Weight a layer's maps by the answer to the picture seen through each (Wang et al., 2020).

    Each of the layer's maps is laid over the picture as a mask, and the model asked what it makes
    of it: a class's share of the softmax, an attribute's logit, an embedding's cosine similarity.
    It needs no gradients but one prediction a map: 512 a picture at width 1.0, against one of
    `grad_cam`.

    Args:
        model: As for `grad_cam`.
        images: As for `grad_cam`.
        classes: As for `grad_cam`.
        references: As for `grad_cam`.
        layer: As for `grad_cam`.
        image_size: As for `grad_cam`.
        batch_size: How many masked images the model takes at once.

    Returns:
        Array (n, h, w), float32, from 0 to 1 in each picture, of the size of the layer's maps.

    Raises:
        ValueError: As for `grad_cam`, as are the others.
        ImageReadError: If files cannot be read.
        ImportError: If tf-keras-vis is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> pictures = synthetic_people(1, cameras=1, views=1, image_size=(64, 32)).images
        >>> model = keras_osnet.OSNet(0.25, classes=3, input_shape=(64, 32, 3))
        >>> score_cam(model, pictures).shape
        (1, 4, 2)
    """
    positive_integer("batch_size", batch_size)
    target = explained(model, images, classes, references, image_size)
    asked_model = target.model if target.softmax else with_zero(target.model)
    network = tf_keras_vis("scorecam").Scorecam(asked_model)
    options = _map_options(target.model, layer)
    maps = []
    # One picture at a time: all its masked copies are in memory together.
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
    """Take the gradient of the answer with respect to each pixel (Simonyan et al., 2014).

    Args:
        model: As for `grad_cam`.
        images: As for `grad_cam`.
        classes: As for `grad_cam`.
        references: As for `grad_cam`.
        samples: Over how many noisy copies to average, which makes it SmoothGrad (Smilkov et al.,
            2017; 20 are usual); 0 for the picture itself.
        image_size: As for `grad_cam`.
        batch_size: As for `grad_cam`.

    Returns:
        Array (n, height, width), float32, from 0 to 1 in each picture: the largest absolute
        gradient of the three colours.

    Raises:
        ValueError: As for `grad_cam`, as are the others.
        ImageReadError: If files cannot be read.
        ImportError: If tf-keras-vis is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> pictures = synthetic_people(2, cameras=1, views=1, image_size=(64, 32)).images
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> query = model.predict(keras_osnet.preprocess_input(pictures[:1]), verbose=0)[0]
        >>> saliency_maps(model, pictures[1:], references=query).shape
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
