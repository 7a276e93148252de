"""Normalization constants and initial values of torchreid."""

import math
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_osnet.layers.batch_norm import BatchNorm

EPSILON = 1e-5
"""Epsilon of batch and instance norm."""

MOMENTUM = 0.9
"""Momentum of the moving statistics (0.1 in torch's convention)."""


def batch_norm(**kwargs: Any) -> BatchNorm:
    """Return a batch norm over the last axis with torchreid's constants."""
    return BatchNorm(momentum=MOMENTUM, epsilon=EPSILON, **kwargs)


def instance_norm(**kwargs: Any) -> keras.layers.GroupNormalization:
    """Return an affine instance norm: one group per channel."""
    return keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON, **kwargs)


@keras.saving.register_keras_serializable(package="keras_osnet")
class NormalInitializer(keras.initializers.Initializer):
    """Normal values with mean 0, drawn by NumPy.

    A seed gives the same values on every backend. Keras's initializers draw with the backend; JAX
    compiles a program for each shape then, which takes longer than all else in building a network.

    Args:
        stddev: Standard deviation; None for √(2 / (k² · out_channels)) of a kernel
            (k, k, in_channels, out_channels), He et al.'s fan-out rule.
        seed: Seed, at least 0; a random one by default, which `keras.utils.set_random_seed`
            determines.
    """

    def __init__(self, stddev: float | None = None, seed: int | None = None) -> None:
        self.stddev, self.seed = stddev, seed
        # Keras draws its own seeds from the same generator.
        self._drawn_seed = random.getrandbits(31) if seed is None else seed

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return values of a shape; the same ones in every call."""
        stddev = self.stddev
        if stddev is None:
            stddev = math.sqrt(2.0 / math.prod((*shape[:-2], shape[-1])))
        values = np.random.default_rng(self._drawn_seed).standard_normal(tuple(shape), np.float32)
        return keras.ops.convert_to_tensor(values * np.float32(stddev), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"stddev": self.stddev, "seed": self.seed}


def kernel_initializer() -> NormalInitializer:
    """Return normal values with std √(2 / (k² · out_channels)), He et al.'s fan-out rule."""
    return NormalInitializer()


def depthwise_initializer(kernel_size: int, channels: int) -> NormalInitializer:
    """Return the same rule for a depthwise kernel.

    torchreid ignores the groups: its fan-out is k² · channels, although a
    depthwise output channel is fed by k² values only.
    """
    return NormalInitializer(math.sqrt(2.0 / (kernel_size**2 * channels)))


def dense_initializer() -> NormalInitializer:
    """Return the normal values with std 0.01 of the fully connected layers."""
    return NormalInitializer(0.01)
