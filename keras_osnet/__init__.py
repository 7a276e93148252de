"""OSNet, the omni-scale network for person re-identification, for Keras 3."""

__version__ = "0.1.0"
