"""OSNet as a Keras model: backbone, heads, preprocessing, and its names in torchreid."""

from typing import TYPE_CHECKING

import keras  # first: see keras_osnet._utils.registration

from keras_osnet._utils import lazy
from keras_osnet.architecture.model import OSNetModel, feature_extractor

if TYPE_CHECKING:
    from keras_osnet.architecture.preprocessing import decode_predictions, preprocess_input

__getattr__, __dir__, __all__ = lazy.attach(__name__)
