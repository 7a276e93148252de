"""Deep mutual learning: networks that learn from each other's predictions."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet._utils.tf_variables import created_outside
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.losses.mutual_learning_loss import MutualLearningLoss


@keras.saving.register_keras_serializable(package="keras_osnet")
class MutualLearning(keras.layers.Layer):
    """Pass on a network's logits; in training, add the loss that it learns from its peers by.

    Adds `weight` times the mean of `MutualLearningLoss` over the peers to the model's loss. Outside
    training (`evaluate`, `predict`, validation in `fit`) it adds nothing.

    Args:
        weight: Factor of the loss, at least 0; 1 in the paper and torchreid.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`. The layer is float32 under
            every precision policy.

    Input shape: a list of (batch, classes): the network's own logits, then each peer's.

    Output shape: (batch, classes), the network's own logits as float32.

    Raises:
        ValueError: `weight` is negative, or the input is not a list of two or more of one shape.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.training.mutual_learning import MutualLearning
        >>> layer = MutualLearning(weight=0.5)
        >>> logits = layer([np.zeros((1, 3)), np.log([[0.5, 0.25, 0.25]])], training=True)
        >>> [round(float(loss), 4) for loss in layer.losses]
        [0.0294]
        >>> logits = layer([np.zeros((1, 3)), np.zeros((1, 3))], training=False)
        >>> layer.losses
        []
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.weight = number("weight", weight, low=0)
        self._loss = MutualLearningLoss()

    def build(self, input_shape: Any) -> None:
        """Check that there are two logits or more, with equal numbers of classes."""
        listed = isinstance(input_shape[0], (list, tuple))
        shapes = {tuple(shape[1:]) for shape in input_shape} if listed else set()
        if len(input_shape) < 2 or [len(shape) for shape in shapes] != [1]:
            raise ValueError(
                "MutualLearning takes a list of logits of shape (batch, classes), its own and at "
                f"least one peer's. Received: shape {input_shape}"
            )
        self.built = True

    def call(self, logits: Any, training: bool | None = None) -> Any:
        """Map the list of logits to the first of them."""
        own, *peers = logits
        if training:
            # `call` and a mean here: calling the loss itself divides by the number of replicas
            # under tf.distribute, and Keras does so again with an added loss.
            losses = [self._loss.call(peer, own) for peer in peers]
            self.add_loss(self.weight * ops.mean(ops.stack(losses)))
        return own

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the network's own logits."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable(package="keras_osnet")
class MutualLearningModel(keras.Model):
    """A functional model whose parameters torch sees completely; see `mutual_learning_model`."""

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Iterate over torch's parameters (on the torch backend).

        Keras keys a model's parameters by the paths of its variables (`conv1/conv/kernel`), which
        are the same in every OSNet, and so would keep those of one peer. The others' gradients
        would then not be zeroed after a step, and add up.
        """
        for layer in self.layers:
            name = f"{prefix}.{layer.name}" if prefix else layer.name
            yield from layer.named_parameters(name, recurse, remove_duplicate)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Take a training step, the first of which is traced once; see `keras.Model.train_step`."""
        with created_outside(self):
            return super().train_step(*args, **kwargs)


def mutual_learning_model(
    peers: Sequence[keras.Model], weight: float = 1.0, name: str = "mutual_learning"
) -> keras.Model:
    """Join networks in one model that trains them all (Zhang et al., CVPR 2018; Table 12d, f).

    Every network has the losses it is compiled with and, beside them, `weight` times the mean over
    its peers of KL(softmax(peer) ‖ softmax(own)), which the model adds (in training only: `loss` in
    the history includes it, `val_loss` is the sum of the compiled losses). No gradient goes into
    the peers' predictions. `sample_weight` applies to the compiled losses only.

    The peers are trained in place: each remains a model that can predict and be saved. Layers of a
    peer with `trainable = False` stay frozen, the statistics of batch norms included; compile again
    after a change, as always in Keras. A model that was loaded from a `.keras` file has its peers
    as `model.get_layer("peer_1")` and so on.

    All networks step at once, from the same predictions, as in torchreid (the paper's Algorithm 1
    alternates). One optimizer for all is the same as one for each, except for `global_clipnorm` and
    the loss scale of float16.

    The peers should start from different values. Equal ones see the same images, have the same
    gradients and nothing to learn from each other, and stay equal. (torchreid's DML starts them
    equal, by a copy; only the rounding of the GPU sets them apart.) Two OSNets of
    `weights="imagenet"` with a new number of classes have different classifiers, which is enough.

    Args:
        peers: Two or more functional models, each with one input, of the same shape and type, and
            a dict of outputs, among them `"logits"` (batch, classes) of the same classes. Widths,
            variants and names may differ.
        weight: Factor of the mutual loss, at least 0; 1 in the paper and torchreid.
        name: Name of the joint model.

    Returns:
        A functional model of the peers' input with every output of every peer in a dict, numbered
        from 1: `embedding_1`, `logits_1`, `embedding_2`, `logits_2`. `logits_…` are float32. `fit`
        needs labels for all outputs, also those without a loss:
        `{name: labels for name in model.output_names}`.

    Raises:
        ValueError: `peers` are not as above, or share variables; or `weight` is negative.

    Warns:
        UserWarning: Two peers have equal values.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.optimizers import AMSGrad
        >>> from keras_osnet.losses import BatchHardTripletLoss
        >>> from keras_osnet.losses import LabelSmoothingSparseCrossentropy
        >>> from keras_osnet.training import mutual_learning_model
        >>> peers = [
        ...     keras_osnet.OSNet(
        ...         0.25,
        ...         input_shape=(64, 32, 3),
        ...         depths=(1, 1, 1),
        ...         classes=10,
        ...         outputs=["embedding", "logits"],
        ...     )
        ...     for _ in range(2)
        ... ]
        >>> model = mutual_learning_model(peers)
        >>> model.output_names
        ['embedding_1', 'embedding_2', 'logits_1', 'logits_2']
        >>> classification = LabelSmoothingSparseCrossentropy(from_logits=True)
        >>> model.compile(
        ...     AMSGrad(),
        ...     loss={
        ...         "embedding_1": BatchHardTripletLoss(),
        ...         "logits_1": classification,
        ...         "embedding_2": BatchHardTripletLoss(),
        ...         "logits_2": classification,
        ...     },
        ...     loss_weights={"embedding_1": 0.5, "logits_1": 1, "embedding_2": 0.5, "logits_2": 1},
        ... )
    """
    weight = number("weight", weight, low=0)
    _check(peers)
    image = peers[0].inputs[0]
    inputs = keras.Input(batch_shape=image.shape, dtype=image.dtype, name=image.name)
    results = []
    for index, peer in enumerate(peers, 1):
        # The same layers under another name: peers that the same code built have one name.
        numbered = keras.Model(peer.inputs[0], peer.output, name=f"peer_{index}")
        results.append(numbered(inputs))

    outputs = {}
    for index, own in enumerate(results, 1):
        for key, result in own.items():
            # Keras finds the loss and labels of an output by the name of its last layer.
            key_of_joint = f"{key}_{index}"
            if key == "logits":
                others = [other["logits"] for other in results if other is not own]
                layer = MutualLearning(weight, name=key_of_joint)
                outputs[key_of_joint] = layer([result, *others])
            else:
                # The output's own dtype: under mixed_float16 another would make it float16.
                layer = keras.layers.Identity(name=key_of_joint, dtype=result.dtype)
                outputs[key_of_joint] = layer(result)
    return MutualLearningModel(inputs, outputs, name=name)


def numbered(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Map values by the outputs of each network to values by the outputs of the joint model."""
    if len(values) == 1:
        return dict(values[0])
    return {
        f"{name}_{number}": value
        for number, own in enumerate(values, 1)
        for name, value in own.items()
    }


def _check(peers: Any) -> None:
    listed = isinstance(peers, (list, tuple)) and all(isinstance(p, keras.Model) for p in peers)
    if not listed or len(peers) < 2:
        raise ValueError(
            "`peers` must be a list of at least two models. "
            f"Received: {[type(peer).__name__ for peer in peers] if listed else peers!r}"
        )
    for index, peer in enumerate(peers, 1):
        outputs = getattr(peer, "output", None)
        named = list(outputs) if isinstance(outputs, dict) else outputs
        if not isinstance(outputs, dict) or "logits" not in outputs or len(peer.inputs) != 1:
            raise ValueError(
                "`peers` must be functional models with one input and a dict of outputs, among "
                'them "logits", such as OSNet(outputs=["embedding", "logits"]). '
                f"Received: peer {index}, a {type(peer).__name__} with outputs {named}"
            )
    images = [(tuple(peer.inputs[0].shape), peer.inputs[0].dtype) for peer in peers]
    if len(set(images)) > 1:
        raise ValueError(f"`peers` must have inputs of one shape and type. Received: {images}")
    logits = [tuple(peer.output["logits"].shape) for peer in peers]
    if len({shape[1:] for shape in logits}) > 1 or len(logits[0]) != 2:
        raise ValueError(
            "`peers` must have logits of shape (batch, classes) with the same number of classes. "
            f"Received: {logits}"
        )
    for (first, one), (second, other) in itertools.combinations(enumerate(peers, 1), 2):
        shared = {id(variable) for variable in one.variables}
        if any(id(variable) in shared for variable in other.variables):
            raise ValueError(
                "`peers` must not share variables. "
                f"Received: peers {first} and {second}, which share some"
            )
        if _are_equal(one, other):
            warn_user(
                f"Peers {first} and {second} have equal values. If that stays so they have nothing "
                "to learn from each other: start them from other random values or weights."
            )


def _are_equal(one: keras.Model, other: keras.Model) -> bool:
    return len(one.weights) == len(other.weights) and all(
        np.array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
        for a, b in zip(one.weights, other.weights, strict=True)
    )
