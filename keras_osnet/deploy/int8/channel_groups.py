"""Which channels of a network may be rescaled without changing what it computes."""

from typing import Any

import keras
from keras import layers

from keras_osnet.deploy.int8 import graph
from keras_osnet.deploy.int8.graph import Step

_KEEPS_SCALE = (
    *graph.SAME_SCALE,
    *graph.POOLING,
    layers.AveragePooling2D,
    layers.Dropout,
    layers.Identity,
)


FIXED = 0
"""No group: the identifier of no tensor."""


class ChannelGroups:
    """Tensors whose channels can only be rescaled together.

    Every convolution can multiply each of its output channels by a positive number, and the next
    one divide by it. What lies between (ReLU, pooling, padding, the product with a gate) passes a
    positive factor on; an addition passes it on if all its inputs have the same. Tensors that are
    bound to each other like this form a group. Where a layer that does neither is met (sigmoid,
    normalization, the model's own inputs and outputs), the group is fixed.
    """

    def __init__(self, model: keras.Model) -> None:
        self._parents: dict[int, int] = {}
        self._fixed: set[int] = set()
        self.steps = graph.steps(model)
        self._tensors = {step.output: step.tensor for step in self.steps}
        self._tensors |= {id(tensor): tensor for tensor in model.inputs}
        calls: dict[str, list[Step]] = {}
        for step in self.steps:
            self._add(step)
            calls.setdefault(step.layer.name, []).append(step)
        # A layer that is called several times has but one kernel to rescale.
        for several in calls.values():
            self._join(*(step.inputs[0] for step in several))
            self._join(*(step.output for step in several))
        for tensor in (*model.inputs, *model.outputs):
            self._fix(id(tensor))

    def group(self, tensor: int) -> int:
        """The group of a tensor, `FIXED` if its channels may not be rescaled."""
        root = self._root(tensor)
        return FIXED if root in {self._root(fixed) for fixed in self._fixed} else root

    def _add(self, step: Step) -> None:
        layer = step.layer
        if isinstance(layer, graph.WEIGHTED):
            if graph.activation_name(layer) not in ("linear", "relu"):
                self._fix(step.output)
            if isinstance(layer, layers.DepthwiseConv2D) and layer.depth_multiplier != 1:
                self._fix(step.inputs[0], step.output)
        elif isinstance(layer, layers.GroupNormalization):
            self._fix(step.inputs[0])
        elif isinstance(layer, (layers.Add, *_KEEPS_SCALE)) or graph.is_relu(layer):
            self._join(*step.inputs, step.output)
        elif isinstance(layer, layers.Multiply):
            maps = [tensor for tensor in step.inputs if graph.is_map(self._tensors[tensor])]
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
        weighted = isinstance(layer, graph.WEIGHTED)
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
