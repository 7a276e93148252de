"""The losses of the paper, and later ones for re-identification, on every Keras backend."""

import keras  # first: see keras_osnet._utils.registration

from keras_osnet.losses.adaptive_triplet_loss import AdaptiveTripletLoss
from keras_osnet.losses.angle_distillation import AngleDistillation
from keras_osnet.losses.arcface import ArcFace
from keras_osnet.losses.batch_all_triplet_loss import BatchAllTripletLoss
from keras_osnet.losses.batch_hard_triplet_loss import BatchHardTripletLoss
from keras_osnet.losses.center_loss import CenterLoss
from keras_osnet.losses.circle_loss import CircleLoss
from keras_osnet.losses.circle_softmax import CircleSoftmax
from keras_osnet.losses.cosface import CosFace
from keras_osnet.losses.cosine_distillation import CosineDistillation
from keras_osnet.losses.distance_distillation import DistanceDistillation
from keras_osnet.losses.entropy_maximization import EntropyMaximization
from keras_osnet.losses.label_smoothing_sparse_crossentropy import LabelSmoothingSparseCrossentropy
from keras_osnet.losses.mutual_learning_loss import MutualLearningLoss
from keras_osnet.losses.weighted_binary_crossentropy import (
    WeightedBinaryCrossentropy,
    positive_ratios,
)

__all__ = [
    "AdaptiveTripletLoss",
    "AngleDistillation",
    "ArcFace",
    "BatchAllTripletLoss",
    "BatchHardTripletLoss",
    "CenterLoss",
    "CircleLoss",
    "CircleSoftmax",
    "CosFace",
    "CosineDistillation",
    "DistanceDistillation",
    "EntropyMaximization",
    "LabelSmoothingSparseCrossentropy",
    "MutualLearningLoss",
    "WeightedBinaryCrossentropy",
    "positive_ratios",
]
