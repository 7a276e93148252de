"""Recipes: the numbers of a training, read from a file."""

import copy
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import keras

from keras_osnet.data import augmentation
from keras_osnet.data.pipeline.batches import Step
from keras_osnet.training.amsgrad import AMSGrad
from keras_osnet.training.l2 import L2SGD

TASKS = ("identities", "attributes", "classes")

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {"sgd": L2SGD, "amsgrad": AMSGrad}
_SCHEDULES = {"constant": set(), "steps": {"milestones", "factor"}, "cosine": set()}
"""Each schedule's own numbers."""

_LOSS = {
    "identities": {
        "label_smoothing": 0.0,
        "entropy_weight": 0.0,
        "triplet_weight": 0.0,
        "triplet_margin": 0.3,
        "mutual": False,
    },
    "attributes": {},
    "classes": {"label_smoothing": 0.0},
}
"""What a task's loss can be made of, and what counts if a recipe does not say."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; see `load_recipe`, and the files in `keras_osnet/training/recipes`.

    Attributes:
        name: The file's, without its ending.
        task: `"identities"`, `"attributes"` or `"classes"`.
        epochs: How many, of all stages together.
        batch_size: Pictures in a batch; or (people, pictures of each).
        optimizer: `name` (`"sgd"`: `L2SGD`; `"amsgrad"`: `AMSGrad`) and its arguments, such as
            `learning_rate`, `l2`, `clipnorm` or `use_ema`.
        schedule: `name`: `"constant"`; `"steps"`, times `factor` after each of `milestones`
            epochs; or `"cosine"`, down to 0. The rate changes between epochs, as in the reference.
        augmentation: The steps in their order: `name`, one of `keras_osnet.data.augmentation`, and
            its arguments. Normalisation is not among them: models know what they take.
        loss: For identities `label_smoothing`, `entropy_weight`, `triplet_weight`,
            `triplet_margin`, `mutual`; for classes `label_smoothing`.
        classifier_alone: Epochs at the start, counted within `epochs`, in which only the new
            classifier learns and everything else stands still, batch norm's statistics included.
        hold_out: Share of the training people on whom the best epoch is chosen; 0 for none.
        read_size: (height, width) that pictures are resized to before augmentation; None for the
            size that the network takes.
        model: Arguments of `OSNet` that belong to the recipe (`variant`, `pooling`, `stem`), and
            `input_size`.
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
    classifier_alone: int = 0
    hold_out: float = 0.0
    read_size: tuple[int, int] | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    source: str = ""

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Return the optimiser, new."""
        arguments = {key: value for key, value in self.optimizer.items() if key != "name"}
        return _OPTIMIZERS[self.optimizer["name"]](**arguments)

    def make_steps(self) -> list[Step]:
        """Return the steps of the augmentation."""
        return [_step(entry) for entry in self.augmentation]

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        rate = self.optimizer["learning_rate"]
        if self.schedule["name"] == "steps":
            passed = sum(epoch >= milestone for milestone in self.schedule["milestones"])
            return rate * self.schedule["factor"] ** passed
        if self.schedule["name"] == "cosine":
            return rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return rate

    def loss_term(self, name: str) -> Any:
        """Return a number of the loss, or what counts where the recipe does not say."""
        return self.loss.get(name, _LOSS[self.task][name])

    def with_epochs(self, epochs: int) -> "Recipe":
        """Return the recipe stretched or shortened to so many epochs.

        Milestones, and the epochs of the classifier alone, keep their share of the whole.

        Raises:
            ValueError: If `epochs` is not a positive integer.

        Example:
            >>> recipe = load_recipe("fine_tune").with_epochs(30)
            >>> recipe.classifier_alone, recipe.schedule["milestones"]
            (2, [12, 24])
        """
        _whole(self.name, "epochs", epochs, least=1)
        share = epochs / self.epochs
        schedule = dict(self.schedule)
        if "milestones" in schedule:
            schedule["milestones"] = [round(share * each) for each in schedule["milestones"]]
        alone = round(share * self.classifier_alone)
        return replace(self, epochs=epochs, schedule=schedule, classifier_alone=alone)

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """Return the recipe with other numbers.

        Args:
            changes: Values by name; a name inside a table is `"optimizer.learning_rate"`.

        Raises:
            ValueError: If a name or value is wrong.

        Example:
            >>> recipe = load_recipe("few_people").changed({"optimizer.learning_rate": 1e-4})
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
        for key in ("batch_size", "read_size"):
            if isinstance(entries[key], tuple):
                entries[key] = list(entries[key])
        return {key: value for key, value in entries.items() if value is not None}


def list_recipes() -> dict[str, str]:
    """Return the recipes that come with the package: name and title.

    Example:
        >>> list_recipes()["from_scratch"]
        'From scratch'
    """
    folder = resources.files("keras_osnet.training") / "recipes"
    names = sorted(file.name.removesuffix(".toml") for file in folder.iterdir())
    return {name: load_recipe(name).title for name in names}


def load_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Args:
        recipe: One of `list_recipes()`, or a TOML file like theirs.

    Raises:
        ValueError: There is no such recipe, or something in it is wrong: the message names it.
        FileNotFoundError: There is no such file.

    Example:
        >>> recipe = load_recipe("fine_tune")
        >>> recipe.epochs, recipe.learning_rate(epoch=60)
        (150, 0.00015)
    """
    if str(recipe).endswith(".toml"):
        path = Path(recipe)
        name, text, source = path.stem, path.read_text("utf-8"), str(path)
    else:
        file = resources.files("keras_osnet.training") / "recipes" / f"{recipe}.toml"
        if not file.is_file():
            raise ValueError(
                f"`recipe` must be one of {', '.join(list_recipes())}, or a .toml file. "
                f"Received: {recipe!r}"
            )
        name, text, source = str(recipe), file.read_text("utf-8"), str(recipe)
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"A recipe is a TOML file. Received: {source}: {error}") from error
    return _recipe(name, source, entries)


def _recipe(name: str, source: str, entries: Mapping[str, Any]) -> Recipe:
    """Check all entries and make the recipe; `source` is named in errors."""
    known = {each.name for each in fields(Recipe)} - {"name"}
    needed = {"task", "epochs", "batch_size", "optimizer", "schedule"}
    for problem, keys in (
        ("does not know", set(entries) - known),
        ("lacks", needed - set(entries)),
    ):
        if keys:
            raise ValueError(f"A recipe {problem} {', '.join(sorted(keys))}. Received: {source}")
    entries = dict(entries)
    for key in ("optimizer", "schedule", "loss", "model"):
        if not isinstance(entries.get(key, {}), Mapping):
            raise _wrong(source, key, "a table", entries[key])
    steps = entries.get("augmentation", ())
    if not isinstance(steps, list | tuple) or not all(isinstance(one, Mapping) for one in steps):
        raise _wrong(source, "augmentation", "a list of tables", steps)
    if entries["task"] not in TASKS:
        raise _wrong(source, "task", f"one of {', '.join(TASKS)}", entries["task"])
    _whole(source, "epochs", entries["epochs"], least=1)
    _whole(source, "classifier_alone", entries.get("classifier_alone", 0), least=0)
    if entries.get("classifier_alone", 0) > entries["epochs"]:
        raise _wrong(
            source, "classifier_alone", f"at most {entries['epochs']} (`epochs`)",
            entries["classifier_alone"],
        )  # fmt: skip
    hold_out = entries.get("hold_out", 0.0)
    if not _is_number(hold_out) or not 0 <= hold_out < 1:
        raise _wrong(source, "hold_out", "a number from 0 to below 1", hold_out)
    entries["batch_size"] = _batch_size(source, entries["batch_size"])
    if "read_size" in entries:
        entries["read_size"] = _pair(source, "read_size", entries["read_size"])
    _check_optimizer(source, entries["optimizer"])
    _check_schedule(source, entries["schedule"])
    _check_loss(source, entries["task"], entries.get("loss", {}))
    for entry in steps:
        try:
            _step(entry)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`augmentation` of {source} has a wrong step: {error}. Received: {entry!r}"
            ) from error
    entries["augmentation"] = tuple(steps)
    recipe = Recipe(name=name, **entries)
    mines_triplets = recipe.task == "identities" and recipe.loss_term("triplet_weight")
    if mines_triplets and not isinstance(recipe.batch_size, tuple):
        raise _wrong(
            source,
            "batch_size",
            "(people, pictures of each) for the triplet loss, which compares pictures of one "
            "person",
            recipe.batch_size,
        )
    return recipe


def _check_optimizer(source: str, table: Mapping[str, Any]) -> None:
    if table.get("name") not in _OPTIMIZERS:
        names = ", ".join(_OPTIMIZERS)
        raise _wrong(source, "optimizer.name", f"one of {names}", table.get("name"))
    rate = table.get("learning_rate")
    if rate is None or not _is_number(rate) or rate <= 0:
        raise _wrong(source, "optimizer.learning_rate", "a number above 0", rate)
    arguments = {key: value for key, value in table.items() if key != "name"}
    try:
        _OPTIMIZERS[table["name"]](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`optimizer` of {source}: {error}") from error


def _check_schedule(source: str, table: Mapping[str, Any]) -> None:
    name = table.get("name")
    if name not in _SCHEDULES:
        raise _wrong(source, "schedule.name", f"one of {', '.join(_SCHEDULES)}", name)
    if set(table) - {"name"} != _SCHEDULES[name]:
        wanted = ", ".join(sorted(_SCHEDULES[name])) or "nothing else"
        raise _wrong(source, f"schedule ({name})", f"made of {wanted}", dict(table))
    if name == "steps":
        milestones, factor = table["milestones"], table["factor"]
        if not isinstance(milestones, list) or not all(_is_whole(each, 0) for each in milestones):
            raise _wrong(source, "schedule.milestones", "a list of epochs", milestones)
        if not _is_number(factor) or factor <= 0:
            raise _wrong(source, "schedule.factor", "a number above 0", factor)


def _check_loss(source: str, task: str, table: Mapping[str, Any]) -> None:
    unknown = set(table) - set(_LOSS[task])
    if unknown:
        terms = ", ".join(_LOSS[task]) or "nothing"
        raise _wrong(source, "loss", f"made of {terms} ({task})", sorted(unknown))
    for key, value in table.items():
        if isinstance(_LOSS[task][key], bool):
            if not isinstance(value, bool):
                raise _wrong(source, f"loss.{key}", "true or false", value)
        elif not _is_number(value) or value < 0:
            raise _wrong(source, f"loss.{key}", "a number of at least 0", value)


def _step(entry: Mapping[str, Any]) -> Step:
    name = entry.get("name")
    if name not in augmentation.HOMES or name == "Normalize":
        names = ", ".join(each for each in augmentation.HOMES if each != "Normalize")
        raise ValueError(f"`name` must be one of {names}")
    # TOML has lists where steps have tuples.
    arguments = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key != "name"
    }
    return getattr(augmentation, name)(**arguments)


def _batch_size(source: str, value: Any) -> int | tuple[int, int]:
    if isinstance(value, list | tuple):
        return _pair(source, "batch_size", value)
    _whole(source, "batch_size", value, least=1)
    return value


def _pair(source: str, key: str, value: Any) -> tuple[int, int]:
    pair = isinstance(value, list | tuple) and len(value) == 2
    if not pair or not all(_is_whole(each, 1) for each in value):
        raise _wrong(source, key, "two positive integers", value)
    return value[0], value[1]


def _whole(source: str, key: str, value: Any, least: int) -> None:
    if not _is_whole(value, least):
        raise _wrong(source, key, f"an integer of at least {least}", value)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(source: str, key: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"`{key}` of {source} must be {wanted}. Received: {value!r}")
