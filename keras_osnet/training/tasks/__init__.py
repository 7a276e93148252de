"""What is learned: identities, attributes or classes."""

from keras_osnet.data import AttributeDataset, ClassificationDataset, ReidDataset
from keras_osnet.data.datasets.records import Dataset
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.tasks.attributes import AttributeTask
from keras_osnet.training.tasks.classes import ClassTask
from keras_osnet.training.tasks.identities import IdentityTask
from keras_osnet.training.tasks.task import Task

__all__ = ["Task", "make_task"]

_TASKS: dict[str, tuple[type, type]] = {
    "reid": (ReidDataset, IdentityTask),
    "attributes": (AttributeDataset, AttributeTask),
    "classification": (ClassificationDataset, ClassTask),
}


def make_task(recipe: Recipe, dataset: Dataset, seed: int) -> Task:
    """Return what a recipe learns from a dataset.

    Raises:
        ValueError: If the dataset is of another kind than the recipe's task.
    """
    kind, task = _TASKS[recipe.task]
    if not isinstance(dataset, kind):
        raise ValueError(
            f"`dataset` must be a {kind.__name__} for the recipe {recipe.name!r}, whose task is "
            f"{recipe.task}. Received: {type(dataset).__name__}"
        )
    return task(recipe, dataset, seed)
