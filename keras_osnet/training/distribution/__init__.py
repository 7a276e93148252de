"""Training on several devices or machines: one switch for what the backends have for it."""

from keras_osnet.training.distribution.one_device import Distribution
from keras_osnet.training.distribution.switch import distributed

__all__ = ["Distribution", "distributed"]
