"""OSNet and its configuration, the heads, the named variants."""

from keras_osnet.models.osnet import OSNet
from keras_osnet.models.preprocessing import decode_predictions, preprocess_input
from keras_osnet.models.variants import list_models

__all__ = ["OSNet", "decode_predictions", "list_models", "preprocess_input"]
