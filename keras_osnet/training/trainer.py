"""Training by a recipe."""

import hashlib
import os
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import keras
import numpy as np

from keras_osnet import __version__
from keras_osnet.architecture.preprocessing import takes_pixels
from keras_osnet.data import ImageBatches
from keras_osnet.data.augmentation import Normalize, RandomErasing
from keras_osnet.data.datasets.records import Dataset
from keras_osnet.training.determinism import deterministic
from keras_osnet.training.distribution import Distribution, distributed
from keras_osnet.training.network import add_classifier, check_backbone
from keras_osnet.training.recipe import Recipe, load_recipe
from keras_osnet.training.run import Run, TrainedRun
from keras_osnet.training.run_folder import RunFolder
from keras_osnet.training.tasks import Task, make_task


def train(
    recipe: Recipe | str | os.PathLike[str],
    model: keras.Model | Sequence[keras.Model],
    dataset: Dataset,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    in_memory: bool = False,
    distribution: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> TrainedRun:
    """Train a network by a recipe, into a folder; or go on with a training that was interrupted.

    The same call does both: if the folder has the beginning of this training, killed at whatever
    moment, it goes on from the end of the last whole epoch, and arrives at the same result, to the
    bit where the backend's operations are deterministic. They are switched to that (for the whole
    process; see `keras_osnet.training.determinism`). If it is finished, its result is read.

    Args:
        recipe: One of `list_recipes()`, a `.toml` file, or a `Recipe`.
        model: From an image (height, width, 3) to an embedding (batch, dim): `OSNet(
            head="embedding", weights=…)`, or another functional model, such as Keras's MobileNetV2
            with `include_top=False, pooling="avg"`. It is trained in place (under a
            `distribution`, a copy may be); its classifier is added here. A model that normalises
            pixels by itself, in a layer named `preprocessing`, gets pixels, another
            `preprocess_input`'s images. For a recipe with mutual learning, two models or more.
        dataset: A `ReidDataset`, `AttributeDataset` or `ClassificationDataset`, as the recipe's
            task has it.
        folder: Where everything goes; see `RunFolder`. New, empty, or of this training.
        seed: Of everything random: the classifier's initial values, the order of the pictures,
            their augmentation, who is held out.
        in_memory: Keep all pictures in memory once they are read; see `ImageBatches`.
        distribution: None, `"mirrored"`, `"multi-worker"` or `"data-parallel"`; see `distributed`.
            The workers of `"multi-worker"` need the same folder, and have to build their models
            inside `with distributed("multi-worker")`.
        callbacks: Further callbacks for `fit`. They come after those that measure what is held out.
        verbose: As for `fit`.

    Returns:
        The networks and figures.

    Raises:
        ValueError: An argument is wrong, or does not fit another; or the folder has another
            training in it.
        BlockingIOError: Another process is training in the folder.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_identity
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> folder = getfixture("tmp_path")
        >>> people = write_synthetic_people(folder / "people", 6, views=2, image_size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> recipe = load_recipe("few_people").with_epochs(1)
        >>> recipe = recipe.with_overrides({"batch_size": 8, "validation_fraction": 0.0})
        >>> run = train(recipe, model, split_by_identity(people, 0.5), folder / "run", verbose=0)
        >>> [row["epoch"] for row in run.metrics], 0 < run.result["mAP"] <= 1
        ([1], True)
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    models = _checked_models(recipe, model)
    task = make_task(recipe, dataset, seed)
    run_folder = RunFolder(folder)
    with deterministic(), distributed(distribution) as devices, ExitStack() as stack:
        pictures = _pictures(recipe, task, models[0], devices, seed, in_memory)
        description = _description(recipe, models, task, seed, devices.kind)
        if devices.is_chief:
            stack.enter_context(run_folder.open(description))
        devices.barrier()
        keras.utils.set_random_seed(seed)
        networks = [
            add_classifier(
                devices.replicate(each), len(task.class_names), task.activation, task.losses
            )
            for each in models
        ]
        run = Run(recipe, task, networks, pictures, run_folder, devices)
        run.fit(callbacks, verbose)
        return run.finish()


def _checked_models(recipe: Recipe, model: Any) -> list[keras.Model]:
    models = list(model) if isinstance(model, Sequence) else [model]
    mutual = recipe.task == "reid" and recipe.loss_term("mutual")
    if (len(models) < 2) if mutual else (len(models) != 1):
        wanted = "two models or more" if mutual else "one model"
        raise ValueError(
            f"`model` must be {wanted} for the recipe {recipe.name!r}. Received: {len(models)}"
        )
    for each in models:
        check_backbone(each)
    if len({takes_pixels(each) for each in models}) > 1:
        raise ValueError(
            "`model` must be models that all take pixels, or all take normalised images. "
            "Received: some of both"
        )
    return models


def _pictures(
    recipe: Recipe,
    task: Task,
    model: keras.Model,
    devices: Distribution,
    seed: int,
    in_memory: bool,
) -> ImageBatches:
    batch_size = recipe.batch_size
    if isinstance(batch_size, int) and batch_size > len(task.images):
        warnings.warn(
            f"There are fewer pictures than in a batch of {recipe.name}: each step is on all "
            f"{len(task.images)} of them, in place of {batch_size}.",
            stacklevel=4,
        )
        batch_size = len(task.images)
    return ImageBatches(
        task.images,
        task.labels,
        image_size=recipe.resize or _size(model),
        batch_size=batch_size,
        steps=_steps(recipe, model),
        seed=seed,
        in_memory=in_memory,
        worker=devices.worker,
    )


def _size(model: keras.Model) -> tuple[int, int]:
    height, width = model.input_shape[1:3]
    if height is None or width is None:
        raise ValueError(
            "`model` must have a fixed size of images, or the recipe a `resize`. "
            f"Received: {model.name} with the input shape {model.input_shape}"
        )
    return height, width


def _steps(recipe: Recipe, model: keras.Model) -> list[Any]:
    """The recipe's steps, with the normalisation that the model wants, before any erasing."""
    steps = recipe.make_steps()
    if takes_pixels(model):
        return steps
    place = next(
        (place for place, step in enumerate(steps) if isinstance(step, RandomErasing)), len(steps)
    )
    return [*steps[:place], Normalize(), *steps[place:]]


def _description(
    recipe: Recipe, models: Sequence[keras.Model], task: Task, seed: int, distribution: str | None
) -> dict[str, Any]:
    """What makes a training this one and no other, and what it ran on."""
    return {
        "recipe": recipe.name,
        **recipe.to_dict(),
        "seed": seed,
        "models": [model.name for model in models],
        "architecture": [_digest(_shape(model)) for model in models],
        "images": len(task.labels),
        "classes": len(task.class_names),
        "class_names": list(task.class_names),
        "labels": _digest(np.ascontiguousarray(task.labels, np.int64).tobytes()),
        "distribution": distribution,
        "backend": keras.backend.backend(),
        "keras_osnet": __version__,
    }


def _shape(model: keras.Model) -> str:
    """What tells networks apart. Names of layers do not: Keras numbers them within a process."""
    layers = [type(layer).__name__ for layer in model.layers]
    variables = [tuple(variable.shape) for variable in model.variables]
    return f"{model.input_shape} {layers} {variables}"


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()
