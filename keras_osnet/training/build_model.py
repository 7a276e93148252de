"""Build the network that a recipe trains."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_osnet._utils.checks import check_image_size
from keras_osnet.architecture.configuration import Configuration
from keras_osnet.models import OSNet
from keras_osnet.models.load_model import Checkpoint, open_checkpoint
from keras_osnet.training.recipe import Recipe, load_recipe

_RECIPES_OWN = "recipe"

_FREE = ("pooling", "mean", "std")
"""Arguments without weights: a value from an earlier training is not binding."""

_NETWORK = tuple(
    name
    for name in Configuration.names(of_weights=True)
    if name not in ("variant", "width", *_FREE)
)
"""Arguments of `OSNet` that weights depend on, besides variant and width."""

_KNOWN = ("variant", "width", *_FREE, *_NETWORK, "image_size", "weights")


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
    `pooling`, `mean` and `std`, `stem`, `depths`, `image_size` and `weights`, all optional.

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
    table = _checked_table(recipe)
    width = table.get("width") if width is None else width
    variant = table.get("variant") if variant is None else variant
    weights = table.get("weights") if weights == _RECIPES_OWN else weights
    size = _size(table.get("image_size") if image_size is None else image_size)
    count = 2 if recipe.is_mutual else 1
    if weights is None:
        models = [
            OSNet(
                1.0 if width is None else width,
                variant=variant or "base",
                head="embedding",
                input_shape=None if size is None else (*size, 3),
                include_preprocessing=True,
                **{key: table[key] for key in (*_FREE, *_NETWORK) if key in table},
            )
            for _ in range(count)
        ]
    else:
        checkpoint = _fitted(open_checkpoint(weights, width=width, variant=variant), recipe, table)
        models = [
            checkpoint.build(
                head="embedding",
                image_size=size or checkpoint.embedding_size,
                include_preprocessing=True,
            )[0]
            for _ in range(count)
        ]
    return models if count > 1 else models[0]


def _checked_table(recipe: Recipe) -> dict[str, Any]:
    unknown = sorted(set(recipe.model) - set(_KNOWN))
    if unknown:
        raise ValueError(
            f"`model` of the recipe {recipe.name!r} may have {', '.join(_KNOWN)}. "
            f"Received: {', '.join(unknown)}"
        )
    return dict(recipe.model)


def _fitted(checkpoint: Checkpoint, recipe: Recipe, table: dict[str, Any]) -> Checkpoint:
    """Return the checkpoint with the arguments of the recipe, as far as its weights allow."""
    wanted = {key: table[key] for key in _NETWORK if key in table}
    for key, value in wanted.items():
        held = checkpoint.description.get(key, value)
        if _plain(held) != _plain(value):
            raise ValueError(
                f"`weights` must be of the network that the recipe {recipe.name!r} trains, with "
                f"{key}={value!r}. Received: {checkpoint.path} with {key}={held!r}"
            )
    wanted |= {key: table[key] for key in _FREE if key in table}
    return replace(checkpoint, description={**checkpoint.description, **wanted})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _size(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    check_image_size(size)
    return size[0], size[1]
