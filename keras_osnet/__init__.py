"""OSNet, the omni-scale network for person re-identification, for Keras 3.

`keras_osnet.OSNet(width=1.0, weights="imagenet")` is the way in. The names below are imported on
first use, so that importing the package imports neither Keras nor a backend.
"""

import sys
from typing import TYPE_CHECKING

from keras_osnet import lazy

if TYPE_CHECKING:
    from keras_osnet import (
        data,
        deploy,
        evaluation,
        layers,
        models,
        runtime,
        training,
        visualize,
        weights,
    )
    from keras_osnet.models import OSNet, decode_predictions, list_models, preprocess_input
    from keras_osnet.weights import list_weights

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "OSNet": "keras_osnet.models",
        "data": "keras_osnet.data",
        "decode_predictions": "keras_osnet.models",
        "deploy": "keras_osnet.deploy",
        "evaluation": "keras_osnet.evaluation",
        "layers": "keras_osnet.layers",
        "list_models": "keras_osnet.models",
        "list_weights": "keras_osnet.weights",
        "models": "keras_osnet.models",
        "preprocess_input": "keras_osnet.models",
        "runtime": "keras_osnet.runtime",
        "training": "keras_osnet.training",
        "visualize": "keras_osnet.visualize",
        "weights": "keras_osnet.weights",
    },
)

if "keras" in sys.modules:
    # `keras.saving.load_model` can read an OSNet only once its layers and losses are registered.
    import keras_osnet.layers
    import keras_osnet.training
