"""The losses of the paper, on every Keras backend."""

from keras_osnet.losses.batch_hard_triplet import BatchHardTripletLoss
from keras_osnet.losses.entropy_maximization import EntropyMaximization
from keras_osnet.losses.label_smoothing import LabelSmoothingSparseCrossentropy
from keras_osnet.losses.mutual_learning import MutualLearningLoss
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
