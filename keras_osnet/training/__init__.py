"""Losses of the paper and the reference's optimisers, for `model.compile` and `model.fit`.

Importing this room registers them with Keras, which is what `keras.saving.load_model` needs to read
a model that was compiled with them.
"""

from keras_osnet.training.amsgrad import AMSGrad
from keras_osnet.training.batch_hard_triplet import BatchHardTripletLoss
from keras_osnet.training.entropy import EntropyMaximization
from keras_osnet.training.l2 import L2SGD, L2InGradient
from keras_osnet.training.mutual_learning import MutualLearningLoss
from keras_osnet.training.pictures_dataset import PicturesDataset, pictures_tf_dataset
from keras_osnet.training.smoothed_crossentropy import SmoothedSparseCategoricalCrossentropy
from keras_osnet.training.weighted_binary_crossentropy import (
    WeightedBinaryCrossentropy,
    positive_ratios,
)

__all__ = [
    "L2SGD",
    "AMSGrad",
    "BatchHardTripletLoss",
    "EntropyMaximization",
    "L2InGradient",
    "MutualLearningLoss",
    "PicturesDataset",
    "SmoothedSparseCategoricalCrossentropy",
    "WeightedBinaryCrossentropy",
    "pictures_tf_dataset",
    "positive_ratios",
]
