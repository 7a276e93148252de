"""Rescale the channels of a network to equal ranges, so that one int8 grid fits them all."""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_osnet.deploy.int8.graph import (
    POOLING,
    SAME_SCALE,
    WEIGHTED,
    Step,
    activation_name,
    is_map,
    is_relu,
    steps,
)

_KEEPS_SCALE = (
    *SAME_SCALE,
    *POOLING,
    layers.AveragePooling2D,
    layers.Dropout,
    layers.Identity,
)

FIXED = 0
"""Identifier of no group: of no tensor."""

_SHARED = 0.75
"""Power of the range that is evened out where the next kernel has one grid for its inputs."""

_DEAD = 1e-4
"""Channels whose range is below this share of the largest are not changed."""


def equalize(model: keras.Model, images: NDArray) -> None:
    """Rescale the channels of a folded model in place, without changing its function.

    Between a pointwise and a depthwise convolution, both of which have a weight grid per channel,
    ranges are made fully equal at no cost. Elsewhere the next kernel sums over the channels on one
    grid, so that precision gained in the feature map is lost in the weights: there, ranges are
    equalized in part.

    Args:
        model: Folded; its weights are changed.
        images: Its input, (n, height, width, 3), uint8 or float32.
    """
    groups = ChannelGroups(model)
    maps: dict[int, list[Any]] = {}
    readers: dict[int, list[Any]] = {}
    for step in groups.steps:
        group = groups.group(step.output)
        if step.held and group != FIXED:
            maps.setdefault(group, []).append(step.tensor)
        if len(step.inputs) == 1:
            readers.setdefault(groups.group(step.inputs[0]), []).append(step.layer)
    if not maps:
        return
    largest = _largest(model, maps, images)
    factors = {}
    for group in maps:
        ranges = largest[group]
        live = ranges > ranges.max() * _DEAD
        free = all(isinstance(layer, layers.DepthwiseConv2D) for layer in readers.get(group, []))
        share = np.where(live, ranges / (ranges.max() or 1.0), 1.0)
        factors[group] = (share ** -(1.0 if free else _SHARED)).astype("float32")
    rescale(groups, factors)


class ChannelGroups:
    """Tensors whose channels can only be rescaled together.

    Every convolution can multiply each of its output channels by a positive number, and the next
    one divide by it. Layers in between (ReLU, pooling, padding, the product with a gate) preserve a
    positive factor; an addition does if all its inputs have the same. Tensors that are bound to
    each other in this way form a group. A group is fixed if it meets a layer that does neither
    (sigmoid, normalization) or an input or output of the model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._parents: dict[int, int] = {}
        self._fixed: set[int] = set()
        self.steps = steps(model)
        self._tensors = {step.output: step.tensor for step in self.steps}
        self._tensors |= {id(tensor): tensor for tensor in model.inputs}
        calls: dict[str, list[Step]] = {}
        for step in self.steps:
            self._add(step)
            calls.setdefault(step.layer.name, []).append(step)
        # A layer that is called several times has only one kernel to rescale.
        for several in calls.values():
            self._join(*(step.inputs[0] for step in several))
            self._join(*(step.output for step in several))
        for tensor in (*model.inputs, *model.outputs):
            self._fix(id(tensor))

    def group(self, tensor: int) -> int:
        """Return the group of a tensor, `FIXED` if its channels may not be rescaled."""
        root = self._root(tensor)
        return FIXED if root in {self._root(fixed) for fixed in self._fixed} else root

    def _add(self, step: Step) -> None:
        layer = step.layer
        if isinstance(layer, WEIGHTED):
            if activation_name(layer) not in ("linear", "relu"):
                self._fix(step.output)
            if isinstance(layer, layers.DepthwiseConv2D) and layer.depth_multiplier != 1:
                self._fix(step.inputs[0], step.output)
        elif isinstance(layer, layers.GroupNormalization):
            self._fix(step.inputs[0])
        elif isinstance(layer, (layers.Add, *_KEEPS_SCALE)) or is_relu(layer):
            self._join(*step.inputs, step.output)
        elif isinstance(layer, layers.Multiply):
            maps = [tensor for tensor in step.inputs if is_map(self._tensors[tensor])]
            self._fix(*(tensor for tensor in step.inputs if tensor not in maps))
            if len(maps) == 1:
                self._join(maps[0], step.output)
            else:
                self._fix(*maps, step.output)
        else:
            self._fix(*step.inputs, step.output)

    def _root(self, tensor: int) -> int:
        while self._parents.setdefault(tensor, tensor) != tensor:
            tensor = self._parents[tensor]
        return tensor

    def _join(self, *tensors: int) -> None:
        for tensor in tensors[1:]:
            self._parents[self._root(tensor)] = self._root(tensors[0])

    def _fix(self, *tensors: int) -> None:
        self._fixed.update(tensors)


def rescale(groups: ChannelGroups, factors: dict[int, Any]) -> None:
    """Multiply the channels of each group by its factors, in the kernels around it.

    Args:
        groups: Of the model, whose layers are changed.
        factors: For some of the groups an array (channels,), above 0.
    """
    done = set()
    for step in groups.steps:
        layer = step.layer
        weighted = isinstance(layer, WEIGHTED)
        if layer.name in done or not (weighted or isinstance(layer, layers.GroupNormalization)):
            continue
        done.add(layer.name)
        before = factors.get(groups.group(step.inputs[0]))
        after = factors.get(groups.group(step.output))
        values = layer.get_weights()
        if not weighted:
            if after is not None:
                layer.set_weights([value * after for value in values])
            continue
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        if before is not None:
            values[0] = values[0] / before[:, None]
        if after is not None:
            values[0] = values[0] * (after[:, None] if depthwise else after)
            values[1:] = [value * after for value in values[1:]]
        layer.set_weights(values)


def _largest(model: keras.Model, maps: dict[int, list[Any]], images: NDArray) -> dict[int, NDArray]:
    """Return the largest absolute value per channel over all tensors of a group and all images."""
    import tensorflow as tf

    probe = keras.Model(model.inputs, maps)

    @tf.function(autograph=False)
    def ranges(batch: Any) -> Any:
        found = probe(batch, training=False)
        return {
            group: tf.reduce_max([tf.reduce_max(tf.abs(each), (0, 1, 2)) for each in several], 0)
            for group, several in found.items()
        }

    largest: dict[int, NDArray] = {}
    for start in range(0, len(images), 16):
        batch = tf.convert_to_tensor(images[start : start + 16].astype("float32"))
        for group, values in ranges(batch).items():
            largest[group] = np.maximum(largest.get(group, 0.0), values.numpy())
    return largest
