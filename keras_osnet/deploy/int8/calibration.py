"""The pass over the calibration images that chooses every weight and every grid."""

from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_osnet._utils.warn_user import warn_user
from keras_osnet.deploy.int8.graph import SAME_SCALE, WEIGHTED, steps
from keras_osnet.deploy.int8.rounding import Grid, Moments, compute, rounded, weight_scales

FEWEST = 8
"""With fewer, ranges and biases would fit only these images."""

ADVISED = 64
"""With fewer, the worst images are noticeably worse (see `tests/benchmarks/int8.py`)."""

MOST = 160
"""More images change little, and all feature maps of a layer are in memory at once."""

PIXELS = (0.0, 255.0)
"""Range of uint8 pixels, even if the images do not cover it."""


def check_count(name: str, count: int) -> None:
    """Raise ValueError for too few images, and warn about few.

    Args:
        name: Name of the argument, for the message.
        count: Number of images.

    Raises:
        ValueError: There are fewer than `FEWEST`.
    """
    if count < FEWEST:
        raise ValueError(
            f"`{name}` must hold at least {FEWEST} images, because fewer do not show the ranges of "
            f"others; {ADVISED} or more are better. Received: {count}"
        )
    if count < ADVISED:
        warn_user(f"int8 is calibrated on {count} images; {ADVISED} or more are better.")


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
                self._clean[step.output] = _called(step.layer, clean)
                result = _called(step.layer, noisy)
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


def _called(layer: Any, inputs: list[Any]) -> Any:
    return layer(inputs if len(inputs) > 1 else inputs[0])
