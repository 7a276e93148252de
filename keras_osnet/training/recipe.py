"""Recipes: the numbers of a training, read from a file."""

import copy
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import keras

from keras_osnet._utils.checks import check_whole
from keras_osnet.data.batches import Step
from keras_osnet.recipes import recipe_names, recipe_text
from keras_osnet.training.recipe_checks import LOSS, OPTIMIZERS, checked_entries, make_step


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; see `load_recipe`, and the files in `keras_osnet/recipes`.

    Attributes:
        name: The file's, without its ending.
        task: `"reid"`, `"attributes"` or `"classification"`.
        epochs: How many, of all stages together.
        batch_size: Pictures in a batch; or (people, pictures of each).
        optimizer: `name` (`"sgd"`: `CoupledSGD`; `"amsgrad"`: `AMSGrad`) and its arguments, such as
            `learning_rate`, `l2`, `clipnorm` or `use_ema`.
        schedule: `name`: `"constant"`; `"multi_step"`, times `factor` after each of `milestones`
            epochs; or `"cosine"`, down to 0. The rate changes between epochs, as in the reference.
        augmentation: The steps in their order: `name`, one of `keras_osnet.data.augmentation`, and
            its arguments. Normalisation is not among them: models know what they take.
        loss: For identities `label_smoothing`, `entropy_weight`, `triplet_weight`,
            `triplet_margin`, `mutual`; for classes `label_smoothing`.
        fixbase_epochs: Epochs at the start, counted within `epochs`, in which only the new
            classifier learns and everything else stands still, batch norm's statistics included.
        validation_fraction: Share of the training people on whom the best epoch is chosen; 0 for
            none.
        resize: (height, width) that pictures are resized to before augmentation; None for the
            size that the network takes.
        model: Arguments of `OSNet` that belong to the recipe, such as `variant`, `pooling` or
            `stem`, and `image_size`; see `build_model`.
        title: For people to read.
        source: Where the numbers are from.
    """

    name: str
    task: str
    epochs: int
    batch_size: int | tuple[int, int]
    optimizer: Mapping[str, Any]
    schedule: Mapping[str, Any]
    augmentation: tuple[Mapping[str, Any], ...] = ()
    loss: Mapping[str, Any] = field(default_factory=dict)
    fixbase_epochs: int = 0
    validation_fraction: float = 0.0
    resize: tuple[int, int] | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    source: str = ""

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Return the optimiser, new."""
        arguments = {key: value for key, value in self.optimizer.items() if key != "name"}
        return OPTIMIZERS[self.optimizer["name"]](**arguments)

    def make_steps(self) -> list[Step]:
        """Return the steps of the augmentation."""
        return [make_step(entry) for entry in self.augmentation]

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        rate = self.optimizer["learning_rate"]
        if self.schedule["name"] == "multi_step":
            passed = sum(epoch >= milestone for milestone in self.schedule["milestones"])
            return rate * self.schedule["factor"] ** passed
        if self.schedule["name"] == "cosine":
            return rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return rate

    def loss_term(self, name: str) -> Any:
        """Return a number of the loss, or what counts where the recipe does not say."""
        return self.loss.get(name, LOSS[self.task][name])

    def with_epochs(self, epochs: int) -> "Recipe":
        """Return the recipe stretched or shortened to so many epochs.

        Milestones, and the epochs of the classifier alone, keep their share of the whole.

        Raises:
            ValueError: If `epochs` is not a positive integer.

        Example:
            >>> recipe = load_recipe("fine_tune").with_epochs(30)
            >>> recipe.fixbase_epochs, recipe.schedule["milestones"]
            (2, [12, 24])
        """
        check_whole(1, epochs=epochs)
        share = epochs / self.epochs
        schedule = dict(self.schedule)
        if "milestones" in schedule:
            steps = [round(share * each) for each in schedule["milestones"]]
            schedule["milestones"] = [max(1, each) for each in steps]
        alone = round(share * self.fixbase_epochs)
        return replace(self, epochs=epochs, schedule=schedule, fixbase_epochs=alone)

    def with_overrides(self, changes: Mapping[str, Any]) -> "Recipe":
        """Return the recipe with other numbers.

        Args:
            changes: Values by name; a name inside a table is `"optimizer.learning_rate"`.

        Raises:
            ValueError: If a name or value is wrong.

        Example:
            >>> recipe = load_recipe("few_people").with_overrides({"optimizer.learning_rate": 1e-4})
            >>> recipe.learning_rate(epoch=0)
            0.0001
        """
        entries = self.to_dict()
        for name, value in changes.items():
            table, _, key = name.rpartition(".")
            if table and not isinstance(entries.get(table), dict):
                raise ValueError(
                    f"A recipe's tables are optimizer, schedule, loss and model. Received: {name!r}"
                )
            (entries[table] if table else entries)[key] = value
        return _recipe(self.name, self.name, entries)

    def to_dict(self) -> dict[str, Any]:
        """Return all entries but the name, of types that JSON and TOML have."""
        entries = {each.name: copy.deepcopy(getattr(self, each.name)) for each in fields(self)}
        del entries["name"]
        entries["augmentation"] = list(entries["augmentation"])
        for key in ("batch_size", "resize"):
            if isinstance(entries[key], tuple):
                entries[key] = list(entries[key])
        return {key: value for key, value in entries.items() if value is not None}


def list_recipes() -> dict[str, str]:
    """Return the recipes that come with the package: name and title.

    Example:
        >>> list_recipes()["from_scratch"]
        'From scratch'
    """
    return {name: tomllib.loads(recipe_text(name))["title"] for name in recipe_names()}


def load_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Args:
        recipe: One of `list_recipes()`, or a TOML file like theirs.

    Raises:
        ValueError: There is no such recipe, or something in it is wrong: the message names it.
        FileNotFoundError: There is no such file.

    Example:
        >>> recipe = load_recipe("fine_tune")
        >>> recipe.epochs, round(recipe.learning_rate(epoch=60), 6)
        (150, 0.00015)
    """
    source = str(recipe)
    try:
        entries = tomllib.loads(recipe_text(recipe))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"A recipe is a TOML file. Received: {source}: {error}") from error
    return _recipe(Path(recipe).stem if source.endswith(".toml") else source, source, entries)


def _recipe(name: str, source: str, entries: Mapping[str, Any]) -> Recipe:
    known = {each.name for each in fields(Recipe)} - {"name"}
    return Recipe(name=name, **checked_entries(source, entries, known))
