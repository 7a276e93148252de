"""Round the weights of a folded Keras model to int8, for its inputs on real images."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_osnet.data.sampling import evenly_spaced
from keras_osnet.deploy.fold import absorbed_norms
from keras_osnet.deploy.images import check_count
from keras_osnet.deploy.int8.channel_equalization import equalize
from keras_osnet.deploy.int8.graph import SAME_SCALE, WEIGHTED, is_map, prepared, steps
from keras_osnet.deploy.int8.rounding import (
    MOST,
    PIXELS,
    Grid,
    Moments,
    compute,
    rounded,
    weight_scales,
)


@dataclass(frozen=True, eq=False)
class RoundedModel:
    """A float model whose weights lie on int8 grids.

    Attributes:
        model: Computes as the given one does, with rounded weights; its input is float32.
        scales: Steps of the output channels of each rounded kernel, by the layer's name.
        images: The images to measure the ranges of feature maps on.
        dtype: Type of the images that the given model takes, `"uint8"` or `"float32"`.
    """

    model: keras.Model
    scales: dict[str, NDArray]
    images: NDArray
    dtype: str


def round_weights(model: keras.Model, images: NDArray) -> RoundedModel:
    """Round the weights of a folded model to int8.

    The steps, each of which is measured by `tests/benchmarks/int8.py`:

    1. Channels are rescaled to equal ranges, which changes nothing in float (`equalize`).
    2. Weights are rounded layer by layer, each layer for its inputs as the layers before it
       compute them after rounding, and biases correct the shift of the mean (`Calibrator`).
    3. Gates, instance norms and heads stay float (`keras_osnet.deploy.int8.graph.steps`), but the
       weights of the head are int8.

    Args:
        model: Functional, with one image and one output, such as `fold_batch_norm` returns; input
            (batch, height, width, 3) or (batch, 3, height, width) of a fixed size, uint8 or
            float32. Keras must run on TensorFlow.
        images: Input of the model, as many as `n` in place of the batch: uint8 pixels if it has the
            preprocessing inside, else float32. They should be like those that the model will see,
            of several people and cameras. At least 8, better 64 or more; at most 160 are used,
            chosen evenly.

    Raises:
        ValueError: The model is not as above; the images do not fit it, are too few, not finite
            or all of one color; or the model computes numbers from them that are not finite.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Warns:
        UserWarning: There are fewer than 64 images.
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
    return RoundedModel(twin, calibrator.scales, images, model.inputs[0].dtype)


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
    # One of vectors that nothing can absorb, such as a neck, stays float as all vectors do.
    norms = (layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    if absorbed_norms(model) or any(is_map(norm.output) for norm in norms):
        raise ValueError(
            "`model` must be without batch norm that can be folded, as "
            f"keras_osnet.deploy.fold_batch_norm returns it. Received: {model.name}"
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


class Calibrator:
    """Round the weights of a network while computing it in float and as int8 side by side.

    For each layer in turn, the int8 weights and the bias are chosen so that the results are nearest
    to those of the float network, given the errors of the layer's inputs that rounding has caused.

    Attributes:
        scales: For each rounded layer, the steps of the grids of its output channels, (channels,).
    """

    def __init__(self, model: keras.Model, images: NDArray) -> None:
        """Prepare the pass.

        Args:
            model: Folded, with a bias in every convolution; its weights are changed.
            images: Input of the model, (n, height, width, 3).
        """
        self.scales: dict[str, NDArray] = {}
        self._grids: dict[int, Grid] = {}
        self._steps = steps(model)
        image = id(model.inputs[0])
        clean = images.astype("float32")
        self._grids[image] = (
            Grid.spanning(*PIXELS) if images.dtype == np.uint8 else _grid_of("the input", clean)
        )
        self._clean: dict[int, Any] = {image: clean}
        self._noisy: dict[int, Any] = {image: self._grids[image].nearest(clean)}
        self._left = Counter(tensor for step in self._steps for tensor in step.inputs)

    def run(self) -> None:
        """Round the model's weights in place."""
        for step in self._steps:
            clean = [self._clean[tensor] for tensor in step.inputs]
            noisy = [self._noisy[tensor] for tensor in step.inputs]
            for tensor in step.inputs:
                self._left[tensor] -= 1
                if not self._left[tensor]:
                    del self._clean[tensor], self._noisy[tensor]
            if isinstance(step.layer, WEIGHTED) and (step.integer or _is_head(step.layer)):
                self._clean[step.output], result = self._rounded_layer(
                    step.layer, clean[0], noisy[0]
                )
            else:
                self._clean[step.output] = step.call(clean)
                result = step.call(noisy)
            if isinstance(step.layer, SAME_SCALE) and step.inputs[0] in self._grids:
                self._grids[step.output] = self._grids[step.inputs[0]]
                result = self._grids[step.output].nearest(result)
            elif step.held:
                self._grids[step.output] = _grid_of(step.layer.name, self._clean[step.output])
                result = self._grids[step.output].nearest(result)
            self._noisy[step.output] = result

    def _rounded_layer(self, layer: Any, clean: Any, noisy: Any) -> tuple[Any, Any]:
        kernel, bias = layer.get_weights()
        results = compute(layer, clean, kernel, bias)
        _check_finite(layer.name, results)
        missing = results - compute(layer, noisy, kernel, bias)
        moments = Moments.of(layer, noisy, missing)
        matrix = moments.as_matrix(kernel).astype("float64")
        # One scale per channel, also where each channel is a separate product.
        scales = weight_scales(matrix if matrix.ndim == 2 else matrix[..., 0].T)
        steps = scales.reshape(1, -1) if matrix.ndim == 2 else scales.reshape(-1, 1, 1)
        chosen = rounded(matrix, steps, moments.inputs) * steps
        bias = bias + lost_mean(moments, chosen - matrix)
        kernel = moments.as_kernel(chosen, kernel.shape).astype("float32")
        layer.set_weights([kernel, bias])
        self.scales[layer.name] = scales
        activation = layer.activation
        return activation(results), activation(compute(layer, noisy, kernel, bias))


def lost_mean(moments: Moments, change: NDArray) -> NDArray[np.float32]:
    """Return the shift of each channel's mean by noisy inputs and changed weights, for the bias.

    Args:
        moments: Moments of the noisy inputs.
        change: Change of the weights, (..., k, outputs).
    """
    drift = np.einsum("...i,...io->...o", moments.mean, change)
    return (moments.missing - drift.reshape(-1)).astype("float32")


def _is_head(layer: Any) -> bool:
    return isinstance(layer, layers.Dense)


def _grid_of(name: str, values: Any) -> Grid:
    low, high = _check_finite(name, values)
    return Grid.spanning(low, high)


def _check_finite(name: str, values: Any) -> tuple[float, float]:
    """Return the lowest and highest value, or raise ValueError if they are not finite."""
    low, high = float(np.min(values)), float(np.max(values))
    if not np.isfinite([low, high]).all():
        raise ValueError(
            "`model` must compute finite numbers from `images`. "
            f"Received: {low} to {high} from {name}"
        )
    return low, high
