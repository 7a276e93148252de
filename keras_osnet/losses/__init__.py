"""The losses of the paper, on every Keras backend."""

import keras  # first: see keras_osnet._utils.registration

from keras_osnet.losses.batch_hard_triplet_loss import BatchHardTripletLoss
from keras_osnet.losses.entropy_maximization import EntropyMaximization
from keras_osnet.losses.label_smoothing_sparse_crossentropy import LabelSmoothingSparseCrossentropy
from keras_osnet.losses.mutual_learning_loss import MutualLearningLoss
from keras_osnet.losses.weighted_binary_crossentropy import (
    WeightedBinaryCrossentropy,
    positive_ratios,
)

__all__ = [
    "BatchHardTripletLoss",
    "EntropyMaximization",
    "LabelSmoothingSparseCrossentropy",
    "MutualLearningLoss",
    "WeightedBinaryCrossentropy",
    "positive_ratios",
]
