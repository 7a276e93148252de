"""OSNet as a Keras model: backbone, heads, preprocessing, and its names in torchreid."""

from typing import TYPE_CHECKING

import keras  # first: see keras_osnet._utils.registration

from keras_osnet._utils import lazy
from keras_osnet.architecture import model  # registers the class

if TYPE_CHECKING:
    from keras_osnet.architecture.describe import describe_model
    from keras_osnet.architecture.feature_extractor import embedder
    from keras_osnet.architecture.model import PromptModel
    from keras_osnet.architecture.preprocessing import decode_predictions, preprocess_input

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "PromptModel": "keras_osnet.architecture.model",
        "decode_predictions": "keras_osnet.architecture.preprocessing",
        "describe_model": "keras_osnet.architecture.describe",
        "embedder": "keras_osnet.architecture.feature_extractor",
        "preprocess_input": "keras_osnet.architecture.preprocessing",
    },
)
