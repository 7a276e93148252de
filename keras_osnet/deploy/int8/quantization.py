"""Int8 quantization of a folded Keras model to a TFLite flatbuffer."""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_osnet.data.sampling import evenly_spaced
from keras_osnet.deploy.int8.calibration import MOST, Calibrator, check_count
from keras_osnet.deploy.int8.channel_equalization import equalize
from keras_osnet.deploy.int8.flatbuffer import (
    Flatbuffer,
    measured_ranges,
    quantized,
    with_uint8_input,
)
from keras_osnet.deploy.int8.graph import prepared
from keras_osnet.deploy.tflite import tflite_bytes


def quantize_int8(model: keras.Model, images: NDArray, *, output: str = "embedding") -> bytes:
    """Convert a folded model to a TFLite flatbuffer that computes in int8.

    The steps, each of which is measured by `tests/benchmarks/int8.py`:

    1. Channels are rescaled to equal ranges, which changes nothing in float (`equalize`).
    2. Weights are rounded layer by layer, each layer for its inputs as the layers before it
       compute them after rounding, and biases correct the shift of the mean (`Calibrator`).
    3. Gates, instance norms and heads stay float (`keras_osnet.deploy.int8.graph.steps`), but the
       weights of the head are int8.
    4. litert-quantizer writes the file, with grids from the lowest to the highest value seen.

    The same model and images give the same file on the same machine.

    Args:
        model: Functional, with one image and one output, such as `fold_batch_norm` returns; input
            (batch, height, width, 3) of a fixed size, uint8 or float32. Keras must run on
            TensorFlow.
        images: Input of the model, (n, height, width, 3): uint8 pixels if it has the
            preprocessing inside, else float32. They should be like those that the model will see,
            of several people and cameras. At least 8, better 64 or more; at most 160 are used,
            chosen evenly.
        output: Name of the result in the signature `serving_default`, whose input is `image`.

    Returns:
        The file's content. Input and output have the types of the model's.

    Raises:
        ValueError: The model is not as above; the images do not fit it, are too few, not finite
            or all of one color; or the model computes numbers from them that are not finite.
        RuntimeError: Keras runs on another backend than TensorFlow.
        ImportError: TensorFlow, LiteRT or litert-quantizer is not installed.

    Warns:
        UserWarning: There are fewer than 64 images.

    Example:
        >>> import keras
        >>> from keras_osnet.synthetic import synthetic_people
        >>> from keras_osnet.deploy.int8 import quantize_int8
        >>> image = keras.Input((32, 16, 3), dtype="uint8")
        >>> maps = keras.layers.Rescaling(1 / 255)(image)
        >>> maps = keras.layers.Conv2D(8, 3, activation="relu")(maps)
        >>> model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
        >>> images = synthetic_people(16, views=2, image_size=(32, 16)).images
        >>> quantize_int8(model, images)[4:8]
        b'TFL3'
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "int8 calibration runs where Keras runs on TensorFlow. "
            f"Received: the backend {keras.backend.backend()}"
        )
    images = checked_images(model, images)
    twin = prepared(model)
    equalize(twin, images)
    calibrator = Calibrator(twin, images)
    calibrator.run()
    flatbuffer = Flatbuffer(tflite_bytes(twin, output))
    steps = {
        _in_tflite_order(twin.get_layer(name)).tobytes(): scales
        for name, scales in calibrator.scales.items()
    }
    content = quantized(flatbuffer, steps, measured_ranges(flatbuffer, steps, images))
    return with_uint8_input(content) if model.inputs[0].dtype == "uint8" else content


def checked_images(model: keras.Model, images: NDArray) -> NDArray:
    """Check a model and the images to calibrate it with, and choose at most `MOST` of them.

    Raises:
        ValueError: As for `quantize_int8`.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    shape = tuple(inputs[0].shape) if inputs else ()
    if len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4 or None in shape[1:]:
        raise ValueError(
            "`model` must take one batch of images of a fixed size, (batch, height, width, 3), and "
            f"have one output. Received: inputs {[tuple(each.shape) for each in inputs]}, "
            f"{len(outputs)} outputs"
        )
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        raise ValueError(
            "`model` must be without batch norm, as keras_osnet.deploy.fold_batch_norm returns it. "
            f"Received: {model.name}"
        )
    images = np.asarray(images)
    types = ("uint8",) if inputs[0].dtype == "uint8" else ("uint8", "float32")
    if images.shape[1:] != shape[1:] or images.dtype not in types:
        raise ValueError(
            f"`images` must be (n, {', '.join(map(str, shape[1:]))}) of {' or '.join(types)}, "
            f"which {model.name} takes. Received: shape {images.shape}, {images.dtype}"
        )
    check_count("images", len(images))
    if not np.isfinite(images).all():
        raise ValueError("`images` must be finite. Received: NaN or infinity among them")
    if (images == images[:, :1, :1]).all():
        raise ValueError(
            "`images` must be images with different pixels, which have ranges. Received: "
            f"{len(images)} images of one color each"
        )
    return images if len(images) <= MOST else images[evenly_spaced(len(images), MOST)]


def _in_tflite_order(layer: Any) -> NDArray[np.float32]:
    """Return a kernel as TFLite stores it, outputs first; its values identify it in the file."""
    kernel = np.asarray(layer.kernel)
    if isinstance(layer, layers.Dense):
        return np.ascontiguousarray(kernel.T)
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.ascontiguousarray(kernel.reshape(1, *kernel.shape[:2], -1))
    return np.ascontiguousarray(kernel.transpose(3, 0, 1, 2))
