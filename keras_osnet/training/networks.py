"""The networks of a training: built by a recipe, frozen, and with a classifier added."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from keras_osnet._utils.checks import check_image_size
from keras_osnet.architecture import OSNetModel, network
from keras_osnet.architecture.model import ends_in_classifier
from keras_osnet.architecture.naming import is_finite
from keras_osnet.architecture.preprocessing import takes_pixels
from keras_osnet.layers import ClassCenters
from keras_osnet.models import OSNet
from keras_osnet.models.load_model import Checkpoint, open_checkpoint
from keras_osnet.training.model_table import FREE, NETWORK, check_model
from keras_osnet.training.recipe import Recipe, load_recipe
from keras_osnet.training.run_folder import digest

_RECIPES_OWN = "recipe"


def build_model(
    recipe: Recipe | str | os.PathLike[str],
    *,
    width: float | None = None,
    variant: str | None = None,
    weights: str | os.PathLike[str] | None = _RECIPES_OWN,
    image_size: Sequence[int] | None = None,
) -> keras.Model | list[keras.Model]:
    """Build the network that a recipe trains, for `train`.

    Arguments that are not given are those of the recipe's table `model`: `variant`, `width`,
    `pooling`, `neck`, `mean` and `std`, `stem`, `depths`, `image_size` and `weights`, all optional.
    A neck or the exponent of `pooling = "gem"` that the weights do not have starts fresh.

    Args:
        recipe: One of `list_recipes()`, a `.toml` file, or a `Recipe`.
        width: Width multiplier. None takes the recipe's, else that of a file of weights; 1.0 for a
            tag and for random weights.
        variant: `"base"`, `"ibn"` or `"ain"`. None takes the recipe's, else that of a file of
            weights; `"base"` for a tag and for random weights.
        weights: Initial weights: `"recipe"` for the recipe's own; a tag, a local file or
            `"hf://owner/repo[/file][@revision]"`, as for `OSNet`; or None for random values, from
            Keras's random seed.
        image_size: (height, width) of the images. None takes the recipe's, else the size that the
            weights were trained at, else 256×128.

    Returns:
        An `OSNet(head="embedding", include_preprocessing=True)`, from RGB 0–255 (batch, height,
        width, 3) to embeddings (batch, dim). For a recipe with mutual learning a list of two. With
        random weights they differ; with the same weights they are equal until `train` adds
        classifiers, which differ.

    Raises:
        ValueError: An argument or the recipe's table is wrong, or the weights are of another
            network; the message names it.
        OSError: The weights cannot be read or downloaded.

    Example:
        >>> model = build_model("cifar", width=0.25)
        >>> model.name, model.input_shape, model.output_shape
        ('osnet_x0_25', (None, 32, 32, 3), (None, 512))
        >>> len(build_model("triplet_mutual", width=0.25, weights=None, image_size=(64, 32)))
        2
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    check_model(recipe.name, recipe.model)  # a recipe may be made without `from_dict`
    table = recipe.model
    width = table.get("width") if width is None else width
    variant = table.get("variant") if variant is None else variant
    weights = table.get("weights") if weights == _RECIPES_OWN else weights
    size = table.get("image_size") if image_size is None else image_size
    if size is not None:
        check_image_size(size)
        size = (size[0], size[1])
    count = 2 if recipe.is_mutual else 1
    if weights is None:
        models = [
            OSNet(
                1.0 if width is None else width,
                variant=variant or "base",
                head="embedding",
                input_shape=None if size is None else (*size, 3),
                include_preprocessing=True,
                **{key: table[key] for key in (*FREE, *NETWORK) if key in table},
            )
            for _ in range(count)
        ]
    else:
        checkpoint = _fitted(open_checkpoint(weights, width=width, variant=variant), recipe)
        models = [
            checkpoint.build(
                head="embedding",
                image_size=size or checkpoint.embedding_size,
                include_preprocessing=True,
            )[0]
            for _ in range(count)
        ]
    return models if count > 1 else models[0]


def _fitted(checkpoint: Checkpoint, recipe: Recipe) -> Checkpoint:
    """Return the checkpoint with the arguments of the recipe, as far as its weights allow."""
    table = recipe.model
    wanted = {key: table[key] for key in NETWORK if key in table}
    for key, value in wanted.items():
        held = checkpoint.description.get(key, value)
        # TOML has lists where a description may have tuples.
        if held != value and not (isinstance(held, tuple) and list(held) == list(value)):
            raise ValueError(
                f"`weights` must be of the network that the recipe {recipe.name!r} trains, with "
                f"{key}={value!r}. Received: {checkpoint.path} with {key}={held!r}"
            )
    wanted |= {key: table[key] for key in FREE if key in table}
    return replace(checkpoint, description={**checkpoint.description, **wanted})


@dataclass(frozen=True, eq=False)
class Network:
    """Three models that share all variables.

    Attributes:
        trained: The model for `fit`. Its outputs are a dict of those that have a loss: `logits`
            (batch, classes); with a triplet or Circle loss `embedding` (batch, dim), or `features`
            where a neck follows; with a center loss `center` (batch, dim).
        embedder: The backbone: image to embedding.
        classifier: Image to predictions (batch, classes). This is the model that is saved; of an
            OSNet, the one that `OSNet(classes=…)` builds.
    """

    trained: keras.Model
    embedder: keras.Model
    classifier: keras.Model

    def losses(self, losses: Mapping[str, tuple[Any, float]]) -> dict[str, tuple[Any, float]]:
        """Return a task's losses and weights by the names of this network's outputs.

        Args:
            losses: By the outputs of `add_classifier`. `"center"` has the class of the loss, which
                is made here with the network's own layer.
        """
        found = {}
        for name, (loss, weight) in losses.items():
            if name == "embedding":
                name = self._compared
            elif name == "center":
                loss = loss(self.trained.get_layer("center"))
            found[name] = (loss, weight)
        return found

    @property
    def _compared(self) -> str:
        """Name of the output whose vectors a triplet loss compares."""
        return "features" if "features" in self.trained.output else "embedding"


def add_classifier(
    backbone: Any,
    classes: int,
    activation: str,
    outputs: Collection[str] = ("logits",),
    *,
    scale: float | None = None,
    center_rate: float = 0.5,
) -> Network:
    """Add a new classifier to a backbone.

    Args:
        backbone: A functional model from one image to an embedding (batch, dim), not normalized:
            `OSNet(head="embedding")`, or a network of Keras's with `pooling="avg"`.
        classes: Number of classes.
        activation: `"softmax"` or `"sigmoid"`.
        outputs: Which of `"embedding"` (before a neck), `"center"` and `"logits"` are trained. With
            one output Keras calls its metric `accuracy`, with several `logits_accuracy` and so on.
        scale: Scale of a cosine classifier; None for a dense one.
        center_rate: Rate of the layer `ClassCenters` for the output `"center"`.

    Raises:
        ValueError: The backbone is not such a model.
    """
    check_backbone(backbone)
    compared = "embedding"
    if isinstance(backbone, OSNetModel) and backbone.configuration.head == "embedding":
        classifier = backbone.replace(
            head="attribute" if activation == "sigmoid" else "classification",
            classes=classes,
            classifier_activation=activation,
            classifier_scale=scale,
        )
        compared = "features" if backbone.configuration.neck else "embedding"
        tensors = classifier.replace(outputs=[compared, "logits"]).output
    else:
        logits, predictions = network.classifier(backbone.output, classes, activation, scale=scale)
        classifier = keras.Model(backbone.input, predictions, name=backbone.name)
        tensors = {"embedding": backbone.output, "logits": logits}
    shown = {compared: tensors[compared]} if "embedding" in outputs else {}
    if "center" in outputs:
        shown["center"] = ClassCenters(classes, center_rate, name="center")(tensors[compared])
    if "logits" in outputs:
        shown["logits"] = tensors["logits"]
    return Network(
        trained=keras.Model(backbone.input, shown, name=backbone.name),
        embedder=backbone,
        classifier=classifier,
    )


def architecture_digest(model: keras.Model) -> str:
    """Return a digest of what a model computes, but for its weights; equal in every process.

    Types and shapes without names of layers, which Keras numbers per process; of an OSNet all
    arguments, such as the mean and std of its preprocessing.
    """
    layers = [type(layer).__name__ for layer in model.layers]
    shapes = [tuple(variable.shape) for variable in model.variables]
    arguments = model.configuration.to_dict() if isinstance(model, OSNetModel) else {}
    return digest(f"{model.input_shape} {model.output_shape} {layers} {shapes} {arguments}")


def new_layers(model: keras.Model) -> set[str]:
    """Return the names of the layers that training adds to a backbone, and of a neck."""
    names = {layer.name for layer in _flatten_layers(model)}
    return names & {"neck", "center", "logits", "cosine"}


def without_classifier(classifier: Any) -> keras.Model:
    """Return the backbone of a `Network`'s classifier, with the same variables."""
    if isinstance(classifier, OSNetModel):
        return classifier.replace(head="embedding")
    if not ends_in_classifier(classifier):
        return classifier
    embedding = classifier.get_layer("logits").input
    return keras.Model(classifier.input, embedding, name=classifier.name)


def checked_models(recipe: Recipe, model: Any) -> list[keras.Model]:
    """Return the models of `train` as a list, or raise ValueError."""
    models = list(model) if isinstance(model, Sequence) else [model]
    if (len(models) < 2) if recipe.is_mutual else (len(models) != 1):
        wanted = "two models or more" if recipe.is_mutual else "one model"
        raise ValueError(
            f"`model` must be {wanted} for the recipe {recipe.name!r}. Received: {len(models)}"
        )
    for each in models:
        check_backbone(each)
        for variable in each.variables:
            if not is_finite(variable):
                raise ValueError(
                    "`model` must have finite weights. "
                    f"Received: {each.name} with NaN or infinity in {variable.path}"
                )
    if len({takes_pixels(each) for each in models}) > 1:
        raise ValueError(
            "`model` must be models that all take pixels, or all take normalized images. "
            "Received: some of both"
        )
    return models


def check_backbone(backbone: Any) -> None:
    """Raise ValueError unless a classifier can be added to a model."""
    wanted = (
        "`model` must be a functional model from one image (height, width, 3) to an embedding "
        '(batch, dim), such as OSNet(head="embedding")'
    )
    if not isinstance(backbone, keras.Model) or not getattr(backbone, "inputs", None):
        raise ValueError(f"{wanted}. Received: {type(backbone).__name__}")
    shapes = [tuple(tensor.shape) for tensor in (*backbone.inputs, *backbone.outputs)]
    single = len(backbone.inputs) == len(backbone.outputs) == 1
    if not single or len(shapes[0]) != 4 or len(shapes[1]) != 2 or shapes[1][1] is None:
        raise ValueError(f"{wanted}. Received: {backbone.name} with inputs and outputs {shapes}")
    last = backbone.layers[-1]
    if ends_in_classifier(backbone):
        raise ValueError(
            f"{wanted}: training adds its own classifier. Received: {backbone.name}, which ends "
            f"in {last.name}"
        )
    if isinstance(last, keras.layers.UnitNormalization):
        raise ValueError(
            f"{wanted}, not normalized: cross-entropy needs the length of the embedding. "
            f"Received: {backbone.name}, which ends in {last.name}"
        )


def freeze_except(model: keras.Model, layers: Collection[str] | None) -> None:
    """Freeze all layers but the named ones; None unfreezes all.

    The variables of a frozen layer do not change, including the moving statistics of batch norms,
    which then normalize by these: the network is a fixed function, as it is in torchreid while
    only the classifier is trained. Compile the model afterwards; until then Keras trains the same
    variables as before.

    Args:
        model: The model; nested models are included.
        layers: Names of the layers to train; None trains all.

    Raises:
        ValueError: A name is not that of a layer.

    Example:
        >>> import keras
        >>> layers = [keras.layers.BatchNormalization(), keras.layers.Dense(2, name="fc")]
        >>> model = keras.Sequential([keras.Input((4,)), *layers])
        >>> freeze_except(model, {"fc"})
        >>> [variable.name for variable in model.trainable_variables]
        ['kernel', 'bias']
    """
    all_layers = _flatten_layers(model)
    unknown = set(layers or ()) - {layer.name for layer in all_layers}
    if unknown:
        raise ValueError(
            f"`layers` must be names of layers of {model.name}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    model.trainable = True
    for layer in all_layers:
        layer.trainable = layers is None or layer.name in layers


def _flatten_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model, those of nested models in their place."""
    found: list[keras.Layer] = []
    for layer in model.layers:
        found += _flatten_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found
