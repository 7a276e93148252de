"""The paper's building blocks as Keras layers, and other heads.

They run on TensorFlow, JAX and torch, in float32 and in mixed precision, on channels-last feature
maps of any static or dynamic height and width.
"""

import keras  # first: see keras_osnet._utils.registration

from keras_osnet.layers.aggregation_gate import AggregationGate
from keras_osnet.layers.batch_norm import BatchNorm
from keras_osnet.layers.class_centers import ClassCenters
from keras_osnet.layers.conv_norm import ConvNorm2D
from keras_osnet.layers.cosine_classifier import CosineClassifier
from keras_osnet.layers.gem import GeM
from keras_osnet.layers.lite_conv import LiteConv2D
from keras_osnet.layers.omni_scale_block import OmniScaleBlock

__all__ = [
    "AggregationGate",
    "BatchNorm",
    "ClassCenters",
    "ConvNorm2D",
    "CosineClassifier",
    "GeM",
    "LiteConv2D",
    "OmniScaleBlock",
]
