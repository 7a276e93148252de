"""The loss of deep mutual learning."""

from typing import Any

import keras
from keras import ops

from keras_osnet.losses.base import tensors


@keras.saving.register_keras_serializable(package="keras_osnet")
class MutualLearningLoss(keras.losses.Loss):
    """KL divergence to a peer's prediction (Zhang et al., CVPR 2018; Table 12d, f).

    KL(softmax(peer) ‖ softmax(own)), at temperature 1. No gradient goes into the peer's prediction.
    Both networks of a pair have this loss, each with the other as its peer.

    torchreid's DML leaves out the peer's entropy, which does not depend on the network that learns:
    its value is larger by that entropy and its gradients are the same (except for the 1e-8 that it
    adds inside the logarithm). Here equal predictions have the loss 0.

    Args:
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: the peer's logits (batch, classes).

    Predictions: the network's own logits (batch, classes) of any float type; the loss is computed
    in float32 and is at least 0.

    Raises:
        ValueError: The two do not have the same number of classes.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import MutualLearningLoss
        >>> loss = MutualLearningLoss()
        >>> peer = np.log([[0.5, 0.25, 0.25]])
        >>> round(float(loss(peer, np.zeros((1, 3)))), 4)  # log 3, less the peer's entropy
        0.0589
        >>> round(float(loss(peer, peer + 7)), 4)  # logits that differ by a constant are equal
        0.0
    """

    def __init__(
        self, name: str = "mutual_learning", reduction: str | None = "sum_over_batch_size"
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map the peer's and the network's own logits (batch, classes) to divergences (batch,)."""
        y_true, y_pred = tensors(y_true, y_pred)
        peers, own = tuple(y_true.shape), tuple(y_pred.shape)
        if len(peers) != 2 or len(own) != 2 or peers[-1] != own[-1]:
            raise ValueError(
                "MutualLearningLoss takes logits of shape (batch, classes) of both networks. "
                f"Received: peer's {peers}, own {own}"
            )
        peer = ops.log_softmax(ops.stop_gradient(y_true), axis=-1)
        return ops.sum(ops.exp(peer) * (peer - ops.log_softmax(y_pred, axis=-1)), axis=-1)
