"""The omni-scale residual block."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import (
    MOST_CHANNELS,
    map_channels,
    one_of,
    positive_integer,
    whole_number,
)
from keras_osnet.layers import aggregation_gate, initializers
from keras_osnet.layers.aggregation_gate import AggregationGate
from keras_osnet.layers.conv_norm import ConvNorm2D
from keras_osnet.layers.kernels import relu
from keras_osnet.layers.lite_conv import LiteConv2D
from keras_osnet.layers.policies import saved_policy

FUSIONS = (*aggregation_gate.KINDS, "addition", "concatenation")
"""The ways to fuse streams of Table 5, the paper's own first."""

CONVOLUTIONS = ("lite", "full")
"""The convolutions of the streams, Table 5."""

_MOST_LAYERS = 300
"""3×3 layers of a block's streams; the paper has up to 10."""


def stream_depths(streams: int | Sequence[int]) -> tuple[int, ...]:
    """Return the number of 3×3 layers of each stream.

    Args:
        streams: T for the paper's streams of 1, 2, … T layers, or the depths themselves.

    Raises:
        ValueError: `streams` is neither.

    Example:
        >>> stream_depths(4), stream_depths([2, 2])
        ((1, 2, 3, 4), (2, 2))
    """
    if isinstance(streams, (list, tuple)) and 0 < len(streams) <= _MOST_LAYERS:
        depths = tuple(positive_integer("streams", depth) for depth in streams)
        if sum(depths) <= _MOST_LAYERS:
            return depths
    count = whole_number(streams)
    if count is not None and count >= 1 and count * (count + 1) // 2 <= _MOST_LAYERS:
        return tuple(range(1, count + 1))
    raise ValueError(
        "`streams` must be a whole number T of at least 1, or a depth for each stream, with "
        f"{_MOST_LAYERS} layers in a block at most. "
        f"Received: {streams!r}"
    )


@keras.saving.register_keras_serializable(package="keras_osnet")
class OmniScaleBlock(keras.layers.Layer):
    """Omni-scale residual block (paper, Section 3.2, Fig. 4b).

    A 1×1 layer reduces the channels; T streams of stacked lite 3×3 layers see the result at
    scales from 3×3 to (2T+1)×(2T+1); the aggregation gate fuses them; a linear 1×1 layer restores
    the channels; the input is added (through a linear 1×1 layer if its channels differ); ReLU.

    Args:
        filters: Output channels.
        streams: T for streams of 1, 2, … T layers, or the depth of each: `(2, 2, 2, 2)` is the
            ResNeXt-like block of Table 5.
        fusion: `"unified"`, the paper's gate; `"separate"`, `"streamwise"`, `"fixed"` (see
            `AggregationGate`); `"addition"` or `"concatenation"`, without a gate.
        convolution: `"lite"` or `"full"`, the streams' 3×3 layers.
        instance_norm: None; `"output"`, after the addition, before the ReLU (OSNet-IBN); or
            `"residual"`, in place of the batch norm of the last 1×1 layer (OSNet-AIN).
        reduction: Factor by which the streams are narrower than `filters`.
        gate_reduction: Factor by which the gate's hidden layer is narrower than the streams.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Input shape: (batch, height, width, channels).

    Output shape: (batch, height, width, filters). With `return_gates=True` in the call, a pair:
    that, and the gating vectors (batch, T, filters // reduction), values 0 to 1; (batch, T, 1) if
    stream-wise.

    Raises:
        ValueError: An argument is not among the values above, `filters` is not a multiple of
            `reduction`, the input is not a batch of feature maps, or gates are asked of a block
            that has none.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import OmniScaleBlock
        >>> block = OmniScaleBlock(64)
        >>> maps, gates = block(np.zeros((1, 16, 8, 32), "float32"), return_gates=True)
        >>> tuple(maps.shape), tuple(gates.shape)
        ((1, 16, 8, 64), (1, 4, 16))
    """

    def __init__(
        self,
        filters: int,
        *,
        streams: int | Sequence[int] = 4,
        fusion: str = "unified",
        convolution: str = "lite",
        instance_norm: str | None = None,
        reduction: int = 4,
        gate_reduction: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive_integer("filters", filters, MOST_CHANNELS)
        self.depths = stream_depths(streams)
        self.fusion = one_of("fusion", fusion, FUSIONS)
        self.convolution = one_of("convolution", convolution, CONVOLUTIONS)
        self.instance_norm = one_of("instance_norm", instance_norm, (None, "output", "residual"))
        self.reduction = positive_integer("reduction", reduction)
        self.gate_reduction = positive_integer("gate_reduction", gate_reduction)
        if self.filters % self.reduction:
            raise ValueError(
                f"`filters` must be a multiple of `reduction` ({self.reduction}). "
                f"Received: {filters!r}"
            )
        self.width = self.filters // self.reduction
        dtype = self.dtype_policy

        self.reduce = ConvNorm2D(self.width, dtype=dtype, name="reduce")
        self.streams = [
            [self._stream_layer(f"stream{index}_{step}") for step in range(1, depth + 1)]
            for index, depth in enumerate(self.depths, start=1)
        ]
        self.gate = None
        if self.has_gates:
            self.gate = AggregationGate(self.fusion, self.gate_reduction, dtype=dtype, name="gate")
        in_residual = instance_norm == "residual"
        self.expand = ConvNorm2D(
            self.filters,
            normalization="instance" if in_residual else "batch",
            activation=None,
            dtype=dtype,
            name="expand",
        )
        self.shortcut: ConvNorm2D | None = None
        self.norm = None
        if instance_norm == "output":
            self.norm = initializers.instance_norm(dtype=dtype, name="norm")

    @property
    def has_gates(self) -> bool:
        """True if the streams are fused by a gate."""
        return self.fusion in aggregation_gate.KINDS

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the variables for feature maps of this shape."""
        channels = map_channels("OmniScaleBlock", input_shape)
        stream_shape = (*input_shape[:-1], self.width)
        self.reduce.build(input_shape)
        for stream in self.streams:
            for layer in stream:
                layer.build(stream_shape)
        if self.gate is not None:
            self.gate.build([stream_shape] * len(self.streams))
        fused = self.width * (len(self.streams) if self.fusion == "concatenation" else 1)
        self.expand.build((*input_shape[:-1], fused))
        if channels != self.filters:
            self.shortcut = ConvNorm2D(
                self.filters, activation=None, dtype=self.dtype_policy, name="shortcut"
            )
            self.shortcut.build(input_shape)
        if self.norm is not None:
            self.norm.build(self.compute_output_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None, return_gates: bool = False) -> Any:
        """Map (batch, height, width, channels) to (batch, height, width, filters)."""
        self._check_gates(return_gates)
        # `call` instead of `__call__`, whose overhead exceeds the arithmetic of a single image. The
        # layers share the block's dtype policy, so nothing is lost.
        reduced = self.reduce.call(inputs, training)
        streams = []
        for stream in self.streams:
            outputs = reduced
            for layer in stream:
                outputs = layer.call(outputs, training)
            streams.append(outputs)

        gates = None
        if self.gate is not None:
            fused, gates = self.gate.call(streams, return_gates=True)
        elif self.fusion == "concatenation":
            fused = ops.concatenate(streams, axis=-1)
        else:
            fused = sum(streams)

        outputs = self.expand.call(fused, training)
        if self.shortcut is not None:
            inputs = self.shortcut.call(inputs, training)
        outputs = outputs + inputs
        if self.norm is not None:
            outputs = self.norm(outputs)
        outputs = relu(outputs)
        return (outputs, gates) if return_gates else outputs

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return (batch, height, width, filters)."""
        return (*input_shape[:-1], self.filters)

    def compute_output_spec(
        self, inputs: Any, training: bool | None = None, return_gates: bool = False
    ) -> Any:
        """Return the output spec of `call` without running it."""
        del training
        maps = keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)
        self._check_gates(return_gates)
        if self.gate is None or not return_gates:
            return maps
        stream = keras.KerasTensor((*inputs.shape[:-1], self.width), dtype=self.compute_dtype)
        _, gates = self.gate.compute_output_spec([stream] * len(self.streams), return_gates=True)
        return maps, gates

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "streams": list(self.depths),
            "fusion": self.fusion,
            "convolution": self.convolution,
            "instance_norm": self.instance_norm,
            "reduction": self.reduction,
            "gate_reduction": self.gate_reduction,
            "dtype": keras.dtype_policies.serialize(saved_policy(self)),
        }

    def _check_gates(self, return_gates: bool) -> None:
        if return_gates and self.gate is None:
            raise ValueError(
                "`return_gates=True` asks for gating vectors, which streams fused by "
                f"{self.fusion} do not have. Received: fusion={self.fusion!r}"
            )

    def _stream_layer(self, name: str) -> keras.layers.Layer:
        if self.convolution == "lite":
            return LiteConv2D(self.width, dtype=self.dtype_policy, name=name)
        return ConvNorm2D(self.width, kernel_size=3, dtype=self.dtype_policy, name=name)
