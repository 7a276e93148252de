"""Recipes: the hyperparameters of a training, read from a file and checked."""

import copy
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeGuard

import keras

from keras_osnet._utils.checks import check_whole, whole_number
from keras_osnet.data import transforms
from keras_osnet.data.batches import Step
from keras_osnet.optimizers import AMSGrad, CoupledSGD
from keras_osnet.recipes import recipe_entries, recipe_names
from keras_osnet.training.loss_terms import (
    LOSS_TERMS,
    check_batch_size,
    check_loss,
    entry_error,
    is_number,
    wrong,
)
from keras_osnet.training.model_table import check_model

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {"sgd": CoupledSGD, "amsgrad": AMSGrad}

_MOST_EPOCHS = 10**6

_SCHEDULES = {"constant": set(), "multi_step": {"milestones", "factor"}, "cosine": set()}
"""The arguments of each schedule, besides `warmup_epochs`."""


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training; see `load_recipe`, and the files in `keras_osnet/recipes`.

    Attributes:
        name: The file's name, without its suffix.
        task: `"reid"`, `"distillation"` (for `distill`), `"attributes"` or `"classification"`.
        epochs: Number of epochs, of all stages together.
        batch_size: Images in a batch; or (people, images of each).
        optimizer: `name` (`"sgd"`: `CoupledSGD`; `"amsgrad"`: `AMSGrad`) and its arguments, such as
            `learning_rate`, `l2`, `clipnorm` or `use_ema`.
        schedule: `name`: `"constant"`; `"multi_step"`, times `factor` after each of `milestones`
            epochs; or `"cosine"`, down to 0. The rate changes between epochs, as in torchreid. In
            the first `warmup_epochs` in which all layers are trained it rises linearly.
        augmentation: The steps in their order: `name`, one of `keras_osnet.data.transforms`, and
            its arguments. Normalization is not among them; the model determines it.
        loss: For re-identification `name` (`"softmax"`; `"cosface"`, `"arcface"` or `"circle"`
            with their `margin` and `scale`), `label_smoothing`, `entropy_weight`; `triplet_weight`,
            `triplet_margin` (a number or `"soft"`), `triplet_mining` (`"hard"`, `"all"` or
            `"adaptive"`); `circle_weight`, `circle_margin`, `circle_scale` (the Circle loss of
            pairs); `center_weight`, `center_rate`; `mutual`. For distillation
            `cosine_weight`, `distance_weight`, `angle_weight`; `projection`, true to map the
            student's embedding linearly for the cosine also where its length is the teacher's; and
            `label_weight`, above 0 for the terms of re-identification beside. For classification
            `label_smoothing`.
        fixbase_epochs: Epochs at the start, counted within `epochs`, in which only the new
            classifier and a neck before it are trained and everything else is frozen, batch norm's
            statistics included.
        validation_fraction: Share of the training people on whom the best epoch is chosen; 0 for
            none.
        resize: (height, width) that images are resized to before augmentation; None for the
            size of the model's input.
        model: Arguments of `OSNet` that belong to the recipe, such as `variant`, `pooling`, `neck`
            or `stem`, and `image_size`; see `build_model`.
        title: A title.
        source: Where the numbers are published.
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

    @classmethod
    def from_dict(
        cls, name: str, entries: Mapping[str, Any], source: str | None = None
    ) -> "Recipe":
        """Check the entries of a recipe's file and make the recipe.

        Args:
            name: Name of the recipe.
            entries: As in the file, of TOML's types.
            source: The file, for errors; the name if not given.

        Raises:
            ValueError: An entry is missing or wrong; the message names it.
        """
        return cls(name=name, **_checked(name if source is None else source, entries))

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Return a new optimizer."""
        return _OPTIMIZERS[self.optimizer["name"]](**_without_name(self.optimizer))

    def make_steps(self) -> list[Step]:
        """Return the steps of the augmentation."""
        return [_make_step(entry) for entry in self.augmentation]

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        rate = self.optimizer["learning_rate"]
        warmup = self.schedule.get("warmup_epochs", 0)
        number = epoch - self.fixbase_epochs
        if 0 <= number < warmup:
            rate *= (number + 1) / (warmup + 1)
        if self.schedule["name"] == "multi_step":
            passed = sum(epoch >= milestone for milestone in self.schedule["milestones"])
            return rate * self.schedule["factor"] ** passed
        if self.schedule["name"] == "cosine":
            return rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return rate

    def loss_term(self, name: str) -> Any:
        """Return a term of the loss, or its default where the recipe has none."""
        return self.loss.get(name, LOSS_TERMS[self.task][name])

    @property
    def is_mutual(self) -> bool:
        """True if several networks are trained together and learn from each other."""
        return self.task == "reid" and self.loss_term("mutual")

    def with_epochs(self, epochs: int) -> "Recipe":
        """Return the recipe stretched or shortened to a number of epochs.

        Milestones, `fixbase_epochs` and `warmup_epochs` keep their share of the whole.

        Raises:
            ValueError: `epochs` is not a positive integer.

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
        fixbase_epochs = round(share * self.fixbase_epochs)
        if "warmup_epochs" in schedule:
            warmup_epochs = round(share * schedule["warmup_epochs"])
            schedule["warmup_epochs"] = min(warmup_epochs, epochs - fixbase_epochs)
        return replace(self, epochs=epochs, schedule=schedule, fixbase_epochs=fixbase_epochs)

    def with_overrides(self, overrides: Mapping[str, Any]) -> "Recipe":
        """Return the recipe with other values.

        Args:
            overrides: Values by name; a name inside a table is `"optimizer.learning_rate"`.

        Raises:
            ValueError: A name or value is wrong.

        Example:
            >>> recipe = load_recipe("few_people")
            >>> recipe.with_overrides({"optimizer.learning_rate": 1e-4}).learning_rate(epoch=0)
            0.0001
        """
        entries = self.to_dict()
        for name, value in overrides.items():
            table, _, key = name.rpartition(".")
            if table and not isinstance(entries.get(table), dict):
                raise ValueError(
                    f"A recipe's tables are optimizer, schedule, loss and model. Received: {name!r}"
                )
            (entries[table] if table else entries)[key] = value
        return Recipe.from_dict(self.name, entries)

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
    return {name: recipe_entries(name)["title"] for name in recipe_names()}


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
    name = Path(recipe).stem if source.endswith(".toml") else source
    return Recipe.from_dict(name, recipe_entries(recipe), source)


def _checked(source: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's entries, with tuples for pairs, if all of them are valid."""
    known = {each.name for each in fields(Recipe)} - {"name"}
    needed = {"task", "epochs", "batch_size", "optimizer", "schedule"}
    unknown, missing = sorted(set(entries) - known), sorted(needed - set(entries))
    if unknown:
        raise ValueError(
            f"{source} must be made of the entries {', '.join(sorted(known))}. "
            f"Received: {', '.join(unknown)}"
        )
    if missing:
        raise ValueError(f"{source} lacks {', '.join(missing)}. Received: {', '.join(entries)}")
    entries = dict(entries)
    for key in ("optimizer", "schedule", "loss", "model"):
        if not isinstance(entries.get(key, {}), Mapping):
            raise wrong(source, key, "a table", entries[key])
    if not _is_name(entries["task"], LOSS_TERMS):
        raise wrong(source, "task", f"one of {', '.join(LOSS_TERMS)}", entries["task"])
    _check_whole(source, "epochs", entries["epochs"], least=1)
    if entries["epochs"] > _MOST_EPOCHS:
        raise wrong(source, "epochs", f"at most {_MOST_EPOCHS:,}", entries["epochs"])
    for key in ("title", "source"):
        if not isinstance(entries.get(key, ""), str):
            raise wrong(source, key, "a text", entries[key])
    fixbase_epochs = entries.get("fixbase_epochs", 0)
    _check_whole(source, "fixbase_epochs", fixbase_epochs, least=0)
    if fixbase_epochs > entries["epochs"]:
        wanted = f"at most {entries['epochs']} (`epochs`)"
        raise wrong(source, "fixbase_epochs", wanted, fixbase_epochs)
    fraction = entries.get("validation_fraction", 0.0)
    if not is_number(fraction) or not 0 <= fraction < 1:
        raise wrong(source, "validation_fraction", "a number from 0 to below 1", fraction)
    if isinstance(entries["batch_size"], list | tuple):
        entries["batch_size"] = _pair(source, "batch_size", entries["batch_size"])
    else:
        _check_whole(source, "batch_size", entries["batch_size"], least=1)
    if "resize" in entries:
        entries["resize"] = _pair(source, "resize", entries["resize"])
    _check_optimizer(source, entries["optimizer"])
    _check_schedule(source, entries["schedule"], entries["epochs"] - fixbase_epochs)
    check_loss(source, entries["task"], entries.get("loss", {}))
    check_model(source, entries.get("model", {}))
    entries["augmentation"] = _checked_steps(source, entries.get("augmentation", ()))
    check_batch_size(source, entries["task"], entries.get("loss", {}), entries["batch_size"])
    return entries


def _check_optimizer(source: str, table: Mapping[str, Any]) -> None:
    if not _is_name(table.get("name"), _OPTIMIZERS):
        names = ", ".join(_OPTIMIZERS)
        raise wrong(source, "optimizer.name", f"one of {names}", table.get("name"))
    rate = table.get("learning_rate")
    if rate is None or not is_number(rate) or rate <= 0:
        raise wrong(source, "optimizer.learning_rate", "a number above 0", rate)
    optimizer = _OPTIMIZERS[table["name"]]
    try:
        optimizer(**_without_name(table))
    except (TypeError, ValueError) as error:
        known = optimizer().get_config()
        if unknown := sorted(set(table) - set(known)):
            wanted = f"made of {', '.join(known)}"
            raise wrong(source, "optimizer", wanted, unknown) from error
        raise entry_error(source, "optimizer", str(error)) from error


def _check_schedule(source: str, table: Mapping[str, Any], epochs: int) -> None:
    """Check a schedule of a recipe that trains all layers in a number of epochs."""
    name = table.get("name")
    if not _is_name(name, _SCHEDULES):
        raise wrong(source, "schedule.name", f"one of {', '.join(_SCHEDULES)}", name)
    if set(table) - {"name", "warmup_epochs"} != _SCHEDULES[name]:
        wanted = ", ".join(sorted(_SCHEDULES[name])) or "nothing else"
        raise wrong(source, f"schedule ({name})", f"made of {wanted}", dict(table))
    if name == "multi_step":
        milestones, factor = table["milestones"], table["factor"]
        if not isinstance(milestones, list) or not all(_is_whole(each, 0) for each in milestones):
            raise wrong(source, "schedule.milestones", "a list of epochs", milestones)
        if not is_number(factor) or factor <= 0:
            raise wrong(source, "schedule.factor", "a number above 0", factor)
    warmup_epochs = table.get("warmup_epochs", 0)
    _check_whole(source, "schedule.warmup_epochs", warmup_epochs, least=0)
    if warmup_epochs > epochs:
        wanted = f"at most {epochs} (`epochs` without `fixbase_epochs`)"
        raise wrong(source, "schedule.warmup_epochs", wanted, warmup_epochs)


def _checked_steps(source: str, steps: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(steps, list | tuple) or not all(isinstance(one, Mapping) for one in steps):
        raise wrong(source, "augmentation", "a list of tables", steps)
    for entry in steps:
        try:
            _make_step(entry)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`augmentation` of {source} has a wrong step: {error}. Received: {entry!r}"
            ) from error
    return tuple(steps)


def _make_step(entry: Mapping[str, Any]) -> Step:
    name = entry.get("name")
    if not _is_name(name, transforms.__all__) or name == "Normalize":
        names = ", ".join(each for each in transforms.__all__ if each != "Normalize")
        raise ValueError(f"its name must be one of {names}")
    # TOML has lists where steps have tuples.
    arguments = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in _without_name(entry).items()
    }
    return getattr(transforms, name)(**arguments)


def _without_name(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name"}


def _pair(source: str, key: str, value: Any) -> tuple[int, int]:
    pair = isinstance(value, list | tuple) and len(value) == 2
    if not pair or not all(_is_whole(each, 1) for each in value):
        raise wrong(source, key, "two positive integers", value)
    return value[0], value[1]


def _check_whole(source: str, key: str, value: Any, least: int) -> None:
    if not _is_whole(value, least):
        raise wrong(source, key, f"an integer of at least {least}", value)


def _is_whole(value: Any, least: int) -> bool:
    number = whole_number(value)
    return number is not None and number >= least


def _is_name(value: Any, names: Collection[str]) -> TypeGuard[str]:
    return isinstance(value, str) and value in names
