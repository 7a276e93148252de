"""OSNet as a class of Keras models."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.tf_data import without_autotuning
from keras_osnet._utils.tf_variables import created_outside
from keras_osnet.architecture.configuration import Configuration, check_name, float_policy
from keras_osnet.architecture.network import head, network
from keras_osnet.architecture.predict_one_batch import PredictOneBatch
from keras_osnet.layers.policies import check_quantization, policy_of, saved_policy

_BATCH_SIZE = 32
"""Keras's default `batch_size`."""

_HEAD_ARGUMENTS = (
    "head", "include_top", "classes", "classifier_activation", "classifier_scale", "normalize",
    "outputs",
)  # fmt: skip
"""Arguments that `replace` can change: those of layers after the embedding."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class OSNetModel(keras.Model):
    """OSNet (Zhou et al., ICCV 2019; OSNet-AIN: TPAMI 2021) as a functional Keras model.

    `keras_osnet.OSNet` is the function that builds one and loads its weights. The class stores the
    architecture of a model: `get_config` returns the arguments that it was built with, from which
    a `.keras` file, a pickle and a copy (`copy.deepcopy`) are rebuilt.
    `keras.models.clone_model` copies the layers instead and returns a plain `keras.Model`, as
    `keras.Model(model.input, …)` does.

    `predict` has little overhead on an array of a single batch, where `verbose="auto"` shows no
    progress: Keras's pipelines, and on JAX and torch its calls, take longer than OSNet takes for an
    image (see `PredictOneBatch`). For several batches on TensorFlow this class passes Keras a
    pipeline without autotuning (see `without_autotuning`). Results are the same.

    Args:
        name: Name of the model, torchreid's (`osnet_x1_0`) if None.
        dtype: Dtype policy of the layers, such as `"mixed_bfloat16"`; Keras's global one if None.
            Embeddings and predictions are float32 under any.
        trainable: Whether the variables are trained.
        **architecture: The arguments of `keras_osnet.OSNet` that describe the architecture, that is
            all but `weights` and `input_tensor`.

    Raises:
        ValueError: An argument is wrong; the message names it.

    Example:
        >>> from keras_osnet.architecture import OSNetModel
        >>> model = OSNetModel(width=0.25, head="embedding", input_shape=(64, 32, 3))
        >>> model.output_shape, model.get_config()["feature_dim"]
        ((None, 512), 512)
        >>> OSNetModel.from_config(model.get_config()).name
        'osnet_x0_25'
    """

    _predict_one_batch: PredictOneBatch | None = None

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **architecture: Any,
    ) -> None:
        check_name(name)
        configuration = Configuration(**architecture)
        dtype = float_policy(dtype)
        image = keras.Input(configuration.input_shape, name="image")
        self._assemble(image, network(image, configuration, dtype), configuration, name, dtype)
        if not trainable:
            self.trainable = False

    @classmethod
    def of_graph(
        cls,
        image: Any,
        named: Mapping[str, Any],
        configuration: Configuration,
        *,
        name: str | None = None,
        dtype: Any = None,
    ) -> "OSNetModel":
        """Make a model from existing tensors.

        Args:
            image: An input that `is_own_input`: it is not part of the configuration.
            named: Result of `network` for this input and this configuration.
            configuration: The architecture.
            name: Name of the model, torchreid's if None.
            dtype: Dtype policy that the layers have; Keras's global one if None.
        """
        model = cls.__new__(cls)
        model._assemble(image, named, configuration, name, float_policy(dtype))
        return model

    @property
    def configuration(self) -> Configuration:
        """The arguments of the architecture."""
        return self._configuration

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the model, as JSON can hold them.

        Besides them `frozen` names the layers that are not trained, if there are any.
        """
        policy = saved_policy(self)
        is_map = isinstance(policy, keras.dtype_policies.DTypePolicyMap)
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        return {
            "name": self.name,
            "trainable": self.trainable,
            **({"frozen": frozen} if frozen else {}),
            "dtype": keras.dtype_policies.serialize(policy) if is_map else policy.name,
            **self.configuration.to_dict(),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> "OSNetModel":
        """Rebuild a model from its `get_config()`, with new values."""
        arguments = dict(config)
        frozen = arguments.pop("frozen", ())
        activation = arguments.get("classifier_activation")
        if isinstance(activation, dict):
            arguments["classifier_activation"] = keras.activations.deserialize(
                activation, custom_objects
            )
        model = cls(**arguments)
        for layer in model.layers:
            if layer.trainable == (layer.name in frozen):
                layer.trainable = not layer.trainable
        return model

    def replace(self, **changes: Any) -> "OSNetModel":
        """Return a model with another head or other outputs, which shares the layers it can.

        Training one of them changes the shared variables of both. A classifier with another number
        of classes is a new one.

        Args:
            **changes: `head`, `include_top`, `classes`, `classifier_activation`,
                `classifier_scale`, `normalize` and `outputs`; the others are those of the model.

        Raises:
            ValueError: An argument is wrong or another one.

        Example:
            >>> import keras_osnet
            >>> model = keras_osnet.OSNet(0.25, classes=5, depths=(1, 1, 1))
            >>> model.replace(head="embedding").output_shape
            (None, 512)
        """
        wrong = sorted(set(changes) - set(_HEAD_ARGUMENTS))
        if wrong:
            raise ValueError(
                f"`replace` changes {', '.join(_HEAD_ARGUMENTS)}: the backbone stays as it is. "
                f"Received: {', '.join(wrong)}"
            )
        if "head" in changes:
            changes.setdefault("include_top", changes["head"] is not None)
        old = self.configuration
        new = dataclasses.replace(old, **changes)
        if "conv5" not in self._named:
            raise ValueError(
                "`replace` needs a model that reaches the last feature map. "
                f"Received: {self.name} with outputs={old.outputs}"
            )
        shared = dict(self._named)
        if (new.classes, new.classifier_scale) != (old.classes, old.classifier_scale):
            shared.pop("logits", None)
        if "logits" not in shared or new.classifier_activation != old.classifier_activation:
            shared.pop("predictions", None)
        named = head(shared, new, self.dtype_policy)
        return self.of_graph(self.inputs[0], named, new, name=self.name, dtype=self.dtype_policy)

    def quantize(
        self, mode: str | None = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        """Quantize the dense layers (gates, embedding, classifier); see `keras.Model.quantize`.

        Keras does not quantize convolutions, where most of OSNet's arithmetic is:
        `keras_osnet.deploy.export` with `quantize=` does.

        Raises:
            ValueError: A saved model could not keep the `config`, but only its mode.
        """
        check_quantization(config)
        if filters is None:  # Keras would warn that it cannot quantize any other layer
            filters = _is_dense
        super().quantize(mode, filters=filters, **kwargs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the model's outputs for all images; see `keras.Model.predict`.

        Raises:
            ValueError: An array's shape is not the model's.
        """
        is_array = self._is_array(x)
        if is_array:
            self._check_images(x)
        size = _BATCH_SIZE if batch_size is None else batch_size
        on_tensorflow = self._runs_alone()
        if not (
            is_array
            and (on_tensorflow or self._skips_keras())
            and isinstance(size, int)
            and size > 0
        ):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        images = x.astype(keras.config.floatx(), copy=False) if x.dtype.kind == "f" else x
        if len(x) <= size and verbose in (0, "auto") and steps is None and callbacks is None:
            return self.predict_on_batch(images)
        if not on_tensorflow:
            return super().predict(x, batch_size, verbose, steps, callbacks)
        import tensorflow as tf

        # In a tuple, as in `predict_on_batch`, so that both share one trace.
        batches = without_autotuning(tf.data.Dataset.from_tensor_slices((images,)).batch(size))
        return super().predict(batches, None, verbose, steps, callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the model's outputs for one batch; see `keras.Model.predict_on_batch`.

        Raises:
            ValueError: An array's shape is not the model's.
        """
        if not self._is_array(x):
            return super().predict_on_batch(x)
        self._check_images(x)
        if not self._skips_keras():
            return super().predict_on_batch(x)
        if self._predict_one_batch is None:
            self._predict_one_batch = PredictOneBatch(self)
        return self._predict_one_batch(x)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Take a training step, the first of which is traced once; see `keras.Model.train_step`."""
        with created_outside(self):
            return super().train_step(*args, **kwargs)

    def _assemble(
        self,
        image: Any,
        named: Mapping[str, Any],
        configuration: Configuration,
        name: str | None,
        dtype: Any,
    ) -> None:
        result = chosen(named, configuration.outputs)
        super().__init__(inputs=image, outputs=result, name=name or configuration.name)
        self.dtype_policy = policy_of(dtype, "")
        self._configuration = configuration
        operations = {id(operation) for operation in self.operations}
        # A loaded model has no values for the layers that are cut off here.
        self._named = {
            name: tensor
            for name, tensor in named.items()
            if id(tensor._keras_history.operation) in operations
        }

    def _check_images(self, images: NDArray) -> None:
        expected = tuple(self.inputs[0].shape[1:])
        fits = images.ndim == 1 + len(expected) and all(
            size in (None, found) for size, found in zip(expected, images.shape[1:], strict=True)
        )
        if not (fits and len(images)):
            raise ValueError(
                f"`x` must hold at least one image for {self.name}, in an array of shape "
                f"{(None, *expected)}. Received: shape {images.shape}"
            )

    def _is_array(self, x: Any) -> bool:
        return isinstance(x, np.ndarray) and len(self.inputs) == 1

    def _skips_keras(self) -> bool:
        """Return whether `PredictOneBatch` can run the model as Keras would on this backend."""
        backend = keras.backend.backend()
        is_own = type(self).predict_step is keras.Model.predict_step  # of no subclass
        if backend == "torch":
            return is_own and not self.jit_compile
        on_one_device = keras.distribution.distribution() is None
        return (
            backend == "jax"
            and is_own
            and on_one_device
            and bool(self.jit_compile)
            and not self.run_eagerly
            and not keras.config.is_nnx_enabled()
        )

    def _runs_alone(self) -> bool:
        """Return whether TensorFlow runs the model on a single device."""
        return (
            keras.backend.backend() == "tensorflow"
            and self.distribute_strategy.num_replicas_in_sync == 1
        )


def chosen(named: Mapping[str, Any], outputs: Any) -> Any:
    """Return the last of a network's intermediates, or those of these names as a dict.

    Raises:
        ValueError: `outputs` is not a list of such names.
    """
    if outputs is None:
        return list(named.values())[-1]
    listed = isinstance(outputs, (list, tuple)) and len(outputs) > 0
    if not listed or any(output not in named for output in outputs):
        raise ValueError(
            f"`outputs` must be a list of names among {', '.join(named)} "
            "(gating vectors: conv2_block1_gates, … where streams are fused by gates; the outputs "
            f"of a head, under that head). Received: {list(outputs) if listed else outputs!r}"
        )
    return {output: named[output] for output in outputs}


def feature_extractor(model: keras.Model) -> keras.Model:
    """Return the part of a model that ends in its embedding, with the same variables.

    It leaves a classifier out: a classification or attribute model becomes a re-identification
    model.

    Args:
        model: A functional model with a layer `embedding`, which an OSNet with any head has; or one
            that ends in an embedding already.

    Returns:
        A functional model of the same input, with one output (batch, dim).

    Raises:
        ValueError: The model has no such layer and ends in a classifier.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.architecture import feature_extractor
        >>> model = keras_osnet.OSNet(0.25, classes=5, depths=(1, 1, 1))
        >>> feature_extractor(model).output_shape
        (None, 512)
    """
    if not isinstance(model, keras.Model) or not model.built or not model.layers:
        raise ValueError(
            "`model` must be a functional Keras model, such as `keras_osnet.OSNet` returns. "
            f"Received: {model!r:.200}"
        )
    names = [layer.name for layer in model.layers]
    if not ends_in_classifier(model) and not isinstance(model.output, dict):
        return model
    if "embedding" not in names:
        raise ValueError(
            "`model` must have a layer `embedding` to be cut off at. "
            f"Received: {model.name} with the layers {', '.join(names)}"
        )
    if isinstance(model, OSNetModel):
        return model.replace(head="embedding", normalize=False, outputs=None)
    return keras.Model(model.input, model.get_layer("embedding").output, name=model.name)


def ends_in_classifier(model: keras.Model) -> bool:
    """Return whether a model returns logits or predictions, by the name of its last layer."""
    return model.layers[-1].name in ("logits", "predictions")


def _is_dense(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Dense)


def is_own_input(tensor: Any) -> bool:
    """Return whether a tensor is an input like the one that an `OSNetModel` makes itself."""
    layer = tensor._keras_history.operation
    return (
        isinstance(layer, keras.layers.InputLayer)
        and tensor.dtype == keras.config.floatx()
        and tensor.shape[0] is None
        and not (tensor.sparse or layer.optional)
    )
