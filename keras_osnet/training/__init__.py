"""Losses of the paper, the reference's optimisers, and training by recipe.

Importing this room registers losses and optimisers with Keras, which is what
`keras.saving.load_model` needs to read a model that was compiled with them.
"""

from typing import TYPE_CHECKING

from keras_osnet import lazy
from keras_osnet.training.amsgrad import AMSGrad
from keras_osnet.training.batch_hard_triplet import BatchHardTripletLoss
from keras_osnet.training.entropy import EntropyMaximization
from keras_osnet.training.l2 import L2SGD, L2InGradient
from keras_osnet.training.mutual_learning import MutualLearningLoss
from keras_osnet.training.peers import MutualLearning, MutualLearningModel
from keras_osnet.training.smoothed_crossentropy import SmoothedSparseCategoricalCrossentropy
from keras_osnet.training.weighted_binary_crossentropy import WeightedBinaryCrossentropy

if TYPE_CHECKING:
    from keras_osnet.training.building import build_model
    from keras_osnet.training.determinism import deterministic
    from keras_osnet.training.distribution import distributed
    from keras_osnet.training.freezing import train_only
    from keras_osnet.training.peers import mutual_learning_model
    from keras_osnet.training.pictures_dataset import PicturesDataset, pictures_tf_dataset
    from keras_osnet.training.recipe import Recipe, list_recipes, load_recipe
    from keras_osnet.training.repetition import RepeatedRuns, train_repeatedly
    from keras_osnet.training.retrieval_metrics import RetrievalMetrics
    from keras_osnet.training.run import TrainedRun
    from keras_osnet.training.run_record import RunRecord
    from keras_osnet.training.runner import train
    from keras_osnet.training.weighted_binary_crossentropy import positive_ratios

_REGISTERED = (
    AMSGrad,
    BatchHardTripletLoss,
    EntropyMaximization,
    L2InGradient,
    L2SGD,
    MutualLearning,
    MutualLearningLoss,
    MutualLearningModel,
    SmoothedSparseCategoricalCrossentropy,
    WeightedBinaryCrossentropy,
)

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        **{each.__name__: each.__module__ for each in _REGISTERED},
        "PicturesDataset": "keras_osnet.training.pictures_dataset",
        "Recipe": "keras_osnet.training.recipe",
        "RepeatedRuns": "keras_osnet.training.repetition",
        "RetrievalMetrics": "keras_osnet.training.retrieval_metrics",
        "RunRecord": "keras_osnet.training.run_record",
        "TrainedRun": "keras_osnet.training.run",
        "build_model": "keras_osnet.training.building",
        "deterministic": "keras_osnet.training.determinism",
        "distributed": "keras_osnet.training.distribution",
        "list_recipes": "keras_osnet.training.recipe",
        "load_recipe": "keras_osnet.training.recipe",
        "mutual_learning_model": "keras_osnet.training.peers",
        "pictures_tf_dataset": "keras_osnet.training.pictures_dataset",
        "positive_ratios": "keras_osnet.training.weighted_binary_crossentropy",
        "train": "keras_osnet.training.runner",
        "train_only": "keras_osnet.training.freezing",
        "train_repeatedly": "keras_osnet.training.repetition",
    },
)
