"""The optimizers of torchreid's recipes: AMSGrad and SGD, both with coupled weight decay."""

import keras  # first: see keras_osnet._utils.registration

from keras_osnet.optimizers.amsgrad import AMSGrad
from keras_osnet.optimizers.coupled_sgd import CoupledSGD
from keras_osnet.optimizers.coupled_weight_decay import CoupledWeightDecay

__all__ = [
    "AMSGrad",
    "CoupledSGD",
    "CoupledWeightDecay",
]
