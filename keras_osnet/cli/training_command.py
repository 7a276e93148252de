"""What `train` was asked for, kept in its folder, so that `resume` can go on with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet import __version__
from keras_osnet._utils.files import atomic_path, read_json, write_json
from keras_osnet.cli.training_sources import TrainingSources

if TYPE_CHECKING:
    from keras_osnet.training import Recipe

_COMMAND = "command.json"
_RECIPE = "recipe.toml"
_RESULT = "result.json"

_MAY_CHANGE = {"seeds", "targets", "in_memory"}
"""What leaves the trainings that were done as they are: more of them, other tests, speed."""


@dataclass(frozen=True)
class TrainingCommand:
    """The options of `train` but for its folder; of the recipe, what differs from its file.

    Attributes:
        recipe: Name of the recipe.
        sources: What is trained on.
        settings: Numbers of the recipe to change, by name.
        epochs: To stretch the recipe to; None if the option was not given, as are the others.
        batch_size: Pictures in a batch.
        weights: A tag, the absolute path of a file, `hf://…` or `"random"`.
        width: Width multiplier.
        variant: `"base"`, `"ibn"` or `"ain"`.
        size: [height, width] of the pictures.
        seed: Of the first training.
        seeds: Number of trainings, with one seed after the other.
        distribution: As for `keras_osnet.training.train`.
        in_memory: As for `keras_osnet.training.train`.
        targets: Folders of the datasets to test on besides, by name.
    """

    recipe: str
    sources: TrainingSources
    settings: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    batch_size: int | None = None
    weights: str | None = None
    width: float | None = None
    variant: str | None = None
    size: tuple[int, int] | None = None
    seed: int = 0
    seeds: int = 1
    distribution: str | None = None
    in_memory: bool = False
    targets: Mapping[str, str] = field(default_factory=dict)

    def with_overrides(self, recipe: "Recipe") -> "Recipe":
        """Return a recipe as the options want it.

        Raises:
            click.UsageError: `--batch-size` is for batches of another kind.
            ValueError: A value is wrong.
        """
        if self.epochs is not None:
            recipe = recipe.with_epochs(self.epochs)
        settings = dict(self.settings)
        if self.batch_size is not None:
            if isinstance(recipe.batch_size, tuple):
                people, each = recipe.batch_size
                raise click.UsageError(
                    f"A batch of the recipe {recipe.name} is {people} people with {each} pictures "
                    f'of each: change that by --set "batch_size=[{people}, {each}]".'
                )
            settings = {"batch_size": self.batch_size, **settings}
        return recipe.with_overrides(settings)


class TrainingFolder:
    """The folder of `train`, with a folder for each training.

    | file | what it is |
    | --- | --- |
    | `command.json` | the options of `train` |
    | `recipe.toml` | the recipe's file as it was |
    | `seed-0/`, `split-0-seed-0/`, … | a `RunFolder` each |
    | `result.json` | the report of everything, once it is done |
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, command: TrainingCommand, recipe: str) -> None:
        """Write down what is to be trained, or make sure that it is what is here already.

        Args:
            command: What was asked for.
            recipe: The text of the recipe's file.

        Raises:
            click.UsageError: Something else is in the folder.
        """
        # Of types that JSON has, to be compared with what is read.
        record = json.loads(json.dumps({"keras_osnet": __version__, **asdict(command)}))
        if (self.path / _COMMAND).exists():
            there = read_json(self.path / _COMMAND)
            differing = {key for key in {*there, *record} if there.get(key) != record.get(key)}
            differing -= {"keras_osnet"}
            if self._recipe_text() != recipe:
                differing.add("recipe")
            if not differing:
                return
            if self._has_begun() and differing - _MAY_CHANGE:
                raise click.UsageError(
                    f"{self.path} has another training in it, which differs in "
                    f"{', '.join(sorted(differing))}. `keras-osnet resume {self.path}` goes on "
                    "with that one; for a new one take another folder."
                )
            (self.path / _RESULT).unlink(missing_ok=True)
        elif strangers := self._strangers():
            raise click.UsageError(
                "-o must be a new or empty folder, or that of a training. Received: "
                f"{self.path}, with {', '.join(strangers[:3])}"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / _COMMAND, record)
        with atomic_path(self.path / _RECIPE) as temporary:
            temporary.write_text(recipe, "utf-8")

    def read_command(self) -> TrainingCommand:
        """Return what is trained here.

        Raises:
            FileNotFoundError: There is no training here.
            ValueError: `command.json` is damaged, or of a newer version.
        """
        if not (self.path / _COMMAND).is_file():
            raise FileNotFoundError(
                f"There is no {_COMMAND} of a training to go on with. Received: {self.path}"
            )
        record = read_json(self.path / _COMMAND)
        version = record.pop("keras_osnet", None)
        unknown = sorted(set(record) - {each.name for each in fields(TrainingCommand)})
        if unknown:
            raise ValueError(
                f"{_COMMAND} has {', '.join(unknown)}, which keras-osnet {__version__} does not "
                f"know. Received: {self.path / _COMMAND}, written by keras-osnet {version}"
            )
        try:
            sources: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in record.pop("sources").items()
            }
            size = record.pop("size", None)
            return TrainingCommand(
                **record,
                sources=TrainingSources(**sources),
                size=None if size is None else (size[0], size[1]),
            )
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(
                f"{_COMMAND} is damaged: {error}. Received: {self.path / _COMMAND}"
            ) from error

    def read_recipe(self, command: TrainingCommand) -> "Recipe":
        """Return the recipe as its file was when the training began, and as the options want it."""
        from keras_osnet.training import load_recipe

        recipe = load_recipe(self.path / _RECIPE)
        return command.with_overrides(replace(recipe, name=command.recipe))

    def read_result(self) -> dict[str, Any] | None:
        """Return the report of everything, or None before it is done."""
        return read_json(self.path / _RESULT) if (self.path / _RESULT).exists() else None

    def write_result(self, report: Mapping[str, Any]) -> None:
        """Keep the report of everything."""
        write_json(self.path / _RESULT, report)

    def _strangers(self) -> list[str]:
        if not self.path.exists():
            return []
        return sorted(file.name for file in self.path.iterdir() if not file.name.startswith("."))

    def _has_begun(self) -> bool:
        return any(self.path.glob("*/run.json"))

    def _recipe_text(self) -> str | None:
        path = self.path / _RECIPE
        return path.read_text("utf-8") if path.is_file() else None
