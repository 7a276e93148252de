"""The unified aggregation gate and the alternatives of the paper's ablation."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import map_channels, one_of, positive_integer
from keras_osnet.layers import initializers
from keras_osnet.layers.kernels import relu
from keras_osnet.layers.policies import policy_of, saved_policy

KINDS = ("unified", "separate", "streamwise", "fixed")
"""The gates of Table 5, the paper's own first."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class AggregationGate(keras.layers.Layer):
    """Unified aggregation gate: fuse streams of different scale (paper, Section 3.2, Eq. 3).

    Eq. 3 is x̃ = Σₜ G(xᵗ) ⊙ xᵗ. The gate G is a small network (global average pooling, a dense
    layer to `channels // reduction` with ReLU, a dense layer back to `channels`, sigmoid) and the
    *same* G serves all streams: its gradient is summed over all scales.

    Args:
        kind: `"unified"`, the paper's gate; or one of its ablations (Table 5): `"separate"`, a G
            for each stream; `"streamwise"`, one G that gives each stream a single number in place
            of one per channel; `"fixed"`, gates that are learned and do not depend on the input.
        reduction: Factor by which the hidden layer of G is narrower than the channels. It has at
            least one unit.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Input shape: a list of T feature maps of one shape (batch, height, width, channels).

    Output shape: (batch, height, width, channels). With `return_gates=True` in the call, a pair:
    that, and the gating vectors (batch, T, channels), values 0 to 1; (batch, T, 1) if stream-wise.

    Raises:
        ValueError: `kind` or `reduction` is not among the values above, or the input is not a list
            of feature maps of one shape.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import AggregationGate
        >>> streams = [np.ones((1, 8, 4, 32), "float32") for _ in range(4)]
        >>> fused, gates = AggregationGate()(streams, return_gates=True)
        >>> tuple(fused.shape), tuple(gates.shape)
        ((1, 8, 4, 32), (1, 4, 32))
    """

    def __init__(self, kind: str = "unified", reduction: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = one_of("kind", kind, KINDS)
        self.reduction = positive_integer("reduction", reduction)

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Create the variables for T feature maps of these shapes."""
        self._check(input_shape)
        channels = map_channels("AggregationGate", input_shape[0])
        if self.kind == "fixed":
            # Zeros start the gates at 0.5, where the sigmoid of the dynamic gates starts too.
            self.gate_logits = self.add_weight(
                name="gate_logits", shape=(len(input_shape), channels), initializer="zeros"
            )
            return
        suffixes = [""]
        if self.kind == "separate":
            suffixes = [f"_{number}" for number in range(1, len(input_shape) + 1)]
        hidden = max(1, channels // self.reduction)
        outputs = 1 if self.kind == "streamwise" else channels
        self.squeeze = [self._dense(hidden, f"squeeze{suffix}") for suffix in suffixes]
        self.excite = [self._dense(outputs, f"excite{suffix}") for suffix in suffixes]
        for squeeze, excite in zip(self.squeeze, self.excite, strict=True):
            squeeze.build((None, None, channels))
            excite.build((None, None, squeeze.units))

    def call(self, inputs: Sequence[Any], return_gates: bool = False) -> Any:
        """Fuse the streams into one feature map; return the gating vectors too if asked for."""
        gates = self._gates(inputs)
        fused = gates[:, 0, None, None, :] * inputs[0]
        for index, stream in enumerate(inputs[1:], start=1):
            fused = fused + gates[:, index, None, None, :] * stream
        return (fused, gates) if return_gates else fused

    def compute_output_spec(self, inputs: Sequence[Any], return_gates: bool = False) -> Any:
        """Return the output spec of `call` without running it."""
        fused = keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)
        if not return_gates:
            return fused
        batch, _, _, channels = inputs[0].shape
        width = 1 if self.kind == "streamwise" else channels
        gates = keras.KerasTensor((batch, len(inputs), width), dtype=self.compute_dtype)
        return fused, gates

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "reduction": self.reduction,
            "dtype": keras.dtype_policies.serialize(saved_policy(self)),
        }

    def _gates(self, inputs: Sequence[Any]) -> Any:
        """Return the gating vectors of all streams, (batch, T, channels)."""
        if self.kind == "fixed":
            gates = ops.sigmoid(ops.cast(self.gate_logits, self.compute_dtype))[None]
            return ops.repeat(gates, ops.shape(inputs[0])[0], axis=0)
        # Keras computes the mean of half-precision values in float32.
        pooled = ops.stack([ops.mean(stream, axis=(1, 2)) for stream in inputs], axis=1)
        if self.kind == "separate":
            logits = ops.concatenate(
                [
                    excite(relu(squeeze(pooled[:, index : index + 1])))
                    for index, (squeeze, excite) in enumerate(
                        zip(self.squeeze, self.excite, strict=True)
                    )
                ],
                axis=1,
            )
        else:
            logits = self.excite[0](relu(self.squeeze[0](pooled)))
        return ops.sigmoid(logits)

    def _dense(self, units: int, name: str) -> keras.layers.Dense:
        # torchreid has 1×1 convolutions here, and initializes them as such.
        return keras.layers.Dense(
            units,
            kernel_initializer=initializers.kernel_initializer(),
            dtype=policy_of(self.dtype_policy, f"{self.path}/{name}"),
            name=name,
        )

    def _check(self, shapes: Any) -> None:
        is_list = isinstance(shapes, (list, tuple)) and len(shapes) > 0
        if not is_list or not all(isinstance(shape, (list, tuple)) for shape in shapes):
            raise ValueError(
                "AggregationGate takes a list of feature maps, one per stream, each of shape "
                f"(batch, height, width, channels). Received: shape {shapes}"
            )
        if any(tuple(shape) != tuple(shapes[0]) for shape in shapes):
            raise ValueError(
                "AggregationGate takes streams of one shape. "
                f"Received: shapes {[tuple(shape) for shape in shapes]}"
            )
