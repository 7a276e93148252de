"""OSNet, the omni-scale network for person re-identification, for Keras 3.

Start with `keras_osnet.OSNet(width=1.0, weights="imagenet")`. The names below are imported on
first use, so that importing the package imports neither Keras nor a backend. Its Keras classes are
registered as soon as Keras is imported, so that `keras.saving.load_model` reads a saved OSNet
whichever of the two comes first.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy
from keras_osnet._utils.registration import register_with_keras
from keras_osnet.version import __version__

if TYPE_CHECKING:
    from keras_osnet import (
        architecture,
        bulk,
        data,
        deploy,
        evaluation,
        gallery,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        runtime,
        synthetic,
        training,
        visualize,
        weights,
    )
    from keras_osnet.architecture import decode_predictions, preprocess_input
    from keras_osnet.models import OSNet, list_models, load_model
    from keras_osnet.weights import list_weights

__getattr__, __dir__, __all__ = lazy.attach(__name__)

register_with_keras(
    [
        "keras_osnet.layers",
        "keras_osnet.architecture",
        "keras_osnet.losses",
        "keras_osnet.optimizers",
        "keras_osnet.training.mutual_learning",
    ]
)
