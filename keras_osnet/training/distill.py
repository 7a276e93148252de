"""Distillation: a small network learns the embeddings of a large one."""

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_osnet._utils.checks import path_of
from keras_osnet.data import PersonImage, ReidDataset, list_images
from keras_osnet.data.readable import readable
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.training.dataset import make_batches
from keras_osnet.training.distillation_task import DistillationTask
from keras_osnet.training.networks import checked_models
from keras_osnet.training.recipe import Recipe, load_recipe
from keras_osnet.training.run_folder import RunFolder, digest
from keras_osnet.training.tasks import describe_training
from keras_osnet.training.teachers import Teacher, Teachers
from keras_osnet.training.trainer import train_task
from keras_osnet.training.training_result import TrainingResult


def distill(
    recipe: Recipe | str | os.PathLike[str],
    model: keras.Model,
    teacher: Teacher | Sequence[Teacher],
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ReidDataset,
    folder: str | os.PathLike[str] | RunFolder,
    *,
    flip: bool = True,
    combine: str = "concatenate",
    seed: int = 0,
    in_memory: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Callable[[int], None] | None = None,
    verbose: int | str = "auto",
) -> TrainingResult:
    """Train a small network to give the embeddings of a large one, or resume such a training.

    Nothing has to be labeled: the teacher's vectors of the images are the targets. They are
    computed once, before the training, and are kept in the folder. Afterwards, the training is one
    of `train`, which says how it is resumed. The network that results is an ordinary one, with
    nothing of the teacher in it.

    Args:
        recipe: `"distill"`, a `.toml` file or a `Recipe` of the task `"distillation"`. Its loss
            says what is compared: vectors (`cosine_weight`), or the distances and angles between
            the vectors of a batch (`distance_weight`, `angle_weight`).
        model: The student, as for `train`: `OSNet(0.25, head="embedding", weights=…)`. It is
            trained in place. If its vectors are of another length than the teacher's, they are
            mapped linearly for the loss of vectors, by a layer that is not kept.
        teacher: A Keras model from images to vectors (batch, dim); an `Embedder`, for an exported
            file; an `EmbeddedImages`, for vectors made elsewhere; or the name of weights, of an
            exported file (.tflite, .onnx, .xml), or of a table of vectors: the .npz file or the
            folder that `keras-osnet embed` writes. Or a list of them.
        images: A folder of images, with all in its subfolders; a list of files; or a
            `ReidDataset`, of which `train` is learned, and `query` and `gallery` are for a test
            at the end. A recipe with a `label_weight` needs a `ReidDataset`.
        folder: Output folder; see `RunFolder`. New, empty, or of this training.
        flip: Average the vector of each image with that of its mirror image, so that both have the
            same target. Vectors of a table stay as they are.
        combine: For several teachers: `"concatenate"`, or `"average"` if their vectors are of one
            length and comparable.
        seed: Seed of the order of the images, their augmentation and the layers that are added.
        in_memory: Keep all images in memory once they are read.
        callbacks: Further callbacks for `fit`.
        progress: Called while the teacher runs, with the number of images done so far.
        verbose: As for `fit`.

    Returns:
        The network and metrics.

    Raises:
        ValueError: An argument is wrong, or does not fit another; a table lacks an image; or the
            folder has another training in it, or a damaged file.
        ImageReadError: No image can be read; single ones are left out with a warning.
        BlockingIOError: Another process is training in the folder.
        FloatingPointError: The loss is not finite any more.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.training import distill, load_recipe
        >>> folder = getfixture("tmp_path")
        >>> people = write_synthetic_people(folder / "people", 4, views=2, image_size=(64, 32))
        >>> teacher = keras_osnet.OSNet(0.5, head="embedding", input_shape=(64, 32, 3))
        >>> student = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> recipe = load_recipe("distill").with_epochs(1).with_overrides({"batch_size": 8})
        >>> result = distill(recipe, student, teacher, folder / "people", folder / "run", verbose=0)
        >>> result.paths[0].name, [row["loss"] > 0 for row in result.metrics]
        ('last.keras', [True])
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if recipe.task != "distillation":
        raise ValueError(
            "`recipe` must be of the task distillation. "
            f"Received: {recipe.name!r}, whose task is {recipe.task}"
        )
    models = checked_models(recipe, model)
    _check_stages(recipe)
    dataset = readable(_dataset_of(images, bool(recipe.loss_term("label_weight"))))
    teachers = Teachers(teacher, flip=flip, combine=combine)
    task = DistillationTask(recipe, dataset)
    with warnings.catch_warnings(action="ignore"):  # `train_task` gives them
        # What it would refuse, before the teacher runs for hours.
        make_batches(recipe, models[0], task.images, task.labels, seed=seed)
    task.description = {
        "teacher": teachers.describe(task.images),
        "files": digest("\n".join(_relative(task.images))),
    }
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    with run.open(describe_training(recipe, models, task, seed, None)):
        vectors = run.read_vectors()
        if vectors is None:
            vectors = teachers.embed(task.images, progress=progress)
            run.write_vectors(EmbeddedImages(vectors, list(task.images), {}))
    task.vectors = vectors
    return train_task(
        recipe,
        models,
        task,
        run,
        seed=seed,
        in_memory=in_memory,
        callbacks=callbacks,
        verbose=verbose,
    )


def _relative(paths: Sequence[Path]) -> list[str]:
    """Return paths below the folder that all files are in, which is the same if that is moved."""
    files = [path.absolute() for path in paths]
    root = os.path.commonpath([file.parent for file in files])
    return [Path(os.path.relpath(file, root)).as_posix() for file in files]


def _check_stages(recipe: Recipe) -> None:
    if recipe.validation_fraction:
        raise ValueError(
            "`validation_fraction` must be 0 for a distillation, whose last epoch counts. "
            f"Received: {recipe.validation_fraction} in {recipe.name}"
        )
    if recipe.fixbase_epochs and not recipe.loss_term("label_weight"):
        raise ValueError(
            "`fixbase_epochs` trains the new layers alone and needs layers of a `label_weight`. "
            f"Received: {recipe.fixbase_epochs} in {recipe.name}"
        )


def _dataset_of(images: Any, needs_labels: bool) -> ReidDataset:
    """Return the images as a dataset, of one person if they are not labeled."""
    if isinstance(images, ReidDataset):
        return images
    if needs_labels:
        raise ValueError(
            "`images` must be a ReidDataset for a recipe with a `label_weight`. "
            f"Received: {images!r:.100}"
        )
    if isinstance(images, str | os.PathLike):
        name, files = os.fspath(images), list_images(images)
    else:
        name, files = "images", [path_of("images", path) for path in images]
    if not files:
        raise ValueError("`images` must name at least one image. Received: none")
    return ReidDataset(name, train=tuple(PersonImage(Path(file), 0, None) for file in files))
