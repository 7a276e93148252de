"""OSNet whose streams are computed together, on concatenated channels.

Step k of all streams that have one is a single lite layer: its 1×1 convolution has a block-diagonal
kernel (the first step, where all streams have the same input, a full one), its depthwise
convolution and batch norm work channel by channel anyway. Ten lite layers of a block become
four. The outputs are those of the network with separate streams.
"""

from unittest.mock import patch

import numpy as np
from keras import ops

from keras_osnet import OSNet
from keras_osnet.architecture import network
from keras_osnet.layers import LiteConv2D, OmniScaleBlock
from keras_osnet.layers.kernels import convolve, convolve_depthwise, relu


class FusedLiteConv2D(LiteConv2D):
    """A step of several streams: (batch, height, width, channels) to filters of all streams.

    Args:
        filters: Output channels of all streams together.
        streams: Number of streams; 1 if they have the same input.
        **kwargs: As for `LiteConv2D`.
    """

    def __init__(self, filters, streams, **kwargs):
        super().__init__(filters, **kwargs)
        blocks = np.kron(np.eye(streams), np.ones([filters // streams] * 2))
        self.mask = None
        if streams > 1:
            self.mask = self.add_weight(
                name="mask",
                shape=(1, 1, filters, filters),
                initializer=lambda shape, dtype: ops.cast(blocks.reshape(shape), dtype),
                trainable=False,
            )

    def call(self, inputs, training=None):
        kernel = ops.convert_to_tensor(self.pointwise.kernel)
        if self.mask is not None:
            kernel = kernel * self.mask
        outputs = convolve(inputs, kernel)
        kernel = ops.convert_to_tensor(self.depthwise.kernel)
        if self.norm.folds(training):
            outputs = convolve_depthwise(outputs, *self.norm.folded_into(kernel))
        else:
            outputs = self.norm.call(convolve_depthwise(outputs, kernel), training)
        return relu(outputs)


class FusedBlock(OmniScaleBlock):
    """An omni-scale block whose streams of 1, 2, … T layers are computed together."""

    def build(self, input_shape):
        shape = (*input_shape[:-1], self.width)
        self.steps = []
        for step in self.depths:
            streams = len(self.depths) - step + 1
            layer = FusedLiteConv2D(
                streams * self.width,
                streams if step > 1 else 1,
                dtype=self.dtype_policy,
                name=f"step{step}",
            )
            layer.build(shape if step == 1 else (*shape[:-1], layer.filters))
            self.steps.append(layer)
        super().build(input_shape)

    def call(self, inputs, training=None, return_gates=False):
        maps = self.reduce.call(inputs, training)
        streams = []
        for step in self.steps:
            maps = step.call(maps, training)
            streams.append(maps[..., : self.width])
            maps = maps[..., self.width :]
        outputs = self.expand.call(self.gate.call(streams), training)
        if self.shortcut is not None:
            inputs = self.shortcut.call(inputs, training)
        return relu(outputs + inputs)

    def _stream_layer(self, name):
        return _Nothing()


class _Nothing:
    """Takes the place of a layer of a stream."""

    def build(self, input_shape):
        pass


def fused_osnet(*arguments, **keywords):
    """Build `OSNet(*arguments, **keywords)` with fused streams; of the base variant."""
    with patch.object(network, "OmniScaleBlock", FusedBlock):
        return OSNet(*arguments, **keywords)


def copy_weights(separate, fused):
    """Copy the weights of a network with separate streams to one with fused streams."""
    for source, target in zip(separate.layers, fused.layers, strict=True):
        if isinstance(source, OmniScaleBlock):
            _copy_block(source, target)
        else:
            target.set_weights(source.get_weights())


def _copy_block(source, target):
    for name in ("reduce", "gate", "expand", "shortcut"):
        if getattr(source, name) is not None:
            getattr(target, name).set_weights(getattr(source, name).get_weights())
    for index, step in enumerate(target.steps):
        layers = [stream[index] for stream in source.streams[index:]]
        kernels = [ops.convert_to_numpy(layer.pointwise.kernel)[0, 0] for layer in layers]
        if index == 0:
            kernel = np.concatenate(kernels, axis=-1)
        else:
            width = source.width
            kernel = np.zeros((len(layers) * width,) * 2, "float32")
            for block, each in enumerate(kernels):
                place = slice(block * width, (block + 1) * width)
                kernel[place, place] = each
        step.pointwise.kernel.assign(kernel[None, None])
        step.depthwise.kernel.assign(
            np.concatenate([ops.convert_to_numpy(each.depthwise.kernel) for each in layers], 2)
        )
        values = zip(*(each.norm.get_weights() for each in layers), strict=True)
        step.norm.set_weights([np.concatenate(each) for each in values])
