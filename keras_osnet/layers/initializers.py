"""Normalization constants and initial values of torchreid."""

import math
from typing import Any

import keras

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


def kernel_initializer() -> keras.initializers.Initializer:
    """Return normal values with std √(2 / (k² · out_channels)), He et al.'s fan-out rule."""
    return keras.initializers.VarianceScaling(
        scale=2.0, mode="fan_out", distribution="untruncated_normal"
    )


def depthwise_initializer(kernel_size: int, channels: int) -> keras.initializers.Initializer:
    """Return the same rule for a depthwise kernel.

    torchreid ignores the groups: its fan-out is k² · channels, although a
    depthwise output channel is fed by k² values only.
    """
    return keras.initializers.RandomNormal(stddev=math.sqrt(2.0 / (kernel_size**2 * channels)))


def dense_initializer() -> keras.initializers.Initializer:
    """Return the normal values with std 0.01 of the fully connected layers."""
    return keras.initializers.RandomNormal(stddev=0.01)
