"""The options of `train`, as the folder's record stores them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import click

from keras_osnet import __version__
from keras_osnet.cli._training_data import TrainingData, TrainingSources, target_task
from keras_osnet.cli.console import waiting
from keras_osnet.cli.options import RANDOM

if TYPE_CHECKING:
    import keras

    from keras_osnet.training import Recipe
    from keras_osnet.training.run_folder import RunFolder

_SAME_TESTS = {"seeds", "in_memory", "final"}
_MAY_CHANGE = {*_SAME_TESTS, "targets"}
"""Options that do not change the trainings that are done: more of them, other tests, speed."""


@dataclass(frozen=True)
class TrainingRequest:
    """The options of `train`, except for its output folder; None if an option was not given.

    Attributes:
        recipe: Name of the recipe.
        entries: Entries of the recipe's file, which `resume` does not need any more.
        settings: Values of --set by name.
        targets: Folders of --target by name.
    """

    recipe: str
    entries: Mapping[str, Any]
    sources: TrainingSources
    settings: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    batch_size: int | None = None
    weights: str | None = None
    width: float | None = None
    variant: str | None = None
    image_size: tuple[int, int] | None = None
    seed: int = 0
    seeds: int = 1
    distribution: str | None = None
    in_memory: bool = False
    final: bool = False
    targets: Mapping[str, str] = field(default_factory=dict)

    def make_recipe(self) -> "Recipe":
        """Return the recipe with the options applied.

        Raises:
            click.UsageError: `--batch-size` is for batches of another kind.
            ValueError: An entry or option is wrong.
        """
        from keras_osnet.training import Recipe

        recipe = Recipe.from_dict(self.recipe, self.entries)
        if self.epochs is not None:
            recipe = recipe.with_epochs(self.epochs)
        settings = dict(self.settings)
        if self.batch_size is not None:
            if isinstance(recipe.batch_size, tuple):
                people, each = recipe.batch_size
                raise click.UsageError(
                    f"A batch of the recipe {recipe.name} is {people} people with {each} images "
                    f'of each: change that by --set "batch_size=[{people}, {each}]".'
                )
            settings = {"batch_size": self.batch_size, **settings}
        return recipe.with_overrides(settings)

    def read(self) -> "TrainingData":
        """Read the training data, and the queries and gallery of each of --target.

        Images that cannot be read are left out with a warning. Needs no Keras, which takes seconds
        to start.

        Raises:
            click.UsageError: Options contradict each other, or do not fit the recipe's task.
            ValueError: A dataset does not fit the task, or is not as it should be.
            OSError: Files do not exist or cannot be read.
        """
        task = self.settings.get("task", self.entries.get("task", "reid"))
        self.sources.check_usage(task)
        if self.targets and task != "reid":
            raise click.UsageError(f"--target is for recipes whose task is reid, not {task}.")
        if self.final and (task != "reid" or len(self.sources.data) > 1):
            raise click.UsageError("--final is for recipes whose task is reid, and for one --data.")
        with waiting("Looking for images …"):
            targets = {name: target_task(name, place) for name, place in self.targets.items()}
            return TrainingData(*self.sources.read(task), targets)

    @property
    def only_final(self) -> bool:
        """Return whether the training on all people is the only one."""
        return self.final and self.sources.trains_on_all

    def build_models(self, recipe: "Recipe") -> "list[keras.Model]":
        """Build the networks to train."""
        from keras_osnet.training import build_model

        own: dict[str, Any] = {}
        if self.weights is not None:
            own["weights"] = None if self.weights == RANDOM else self.weights
        built = build_model(
            recipe, width=self.width, variant=self.variant, image_size=self.image_size, **own
        )
        return built if isinstance(built, list) else [built]

    @classmethod
    def from_record(cls, folder: "RunFolder") -> "TrainingRequest":
        """Read the request from the record of a folder.

        Raises:
            FileNotFoundError: There is no training by `train` in it.
            ValueError: The record is damaged, or of another version.
        """
        record = folder.read_record()
        command = record.get("command")
        if command is None:
            begun = ": repeat the command" if folder.was_locked else ""
            raise FileNotFoundError(
                f"There is no training by `keras-osnet train` to resume{begun}. "
                f"Received: {folder.root}" + (", where one ended before it began" if begun else "")
            )
        unknown = sorted(set(command) - {each.name for each in fields(cls)})
        if unknown:
            raise ValueError(
                f"The record has {', '.join(unknown)}, which keras-osnet {__version__} does not "
                f"know. Received: {folder.root}, written by keras-osnet {record.get('keras_osnet')}"
            )
        try:
            sources: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in command.pop("sources").items()
            }
            size = command.pop("image_size", None)
            request = cls(
                **command,
                sources=TrainingSources(**sources),
                image_size=None if size is None else tuple(size),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise folder.damaged(f"command: {error!r}") from error
        for part in (request, request.sources):
            for name, hint in get_type_hints(type(part)).items():
                if not fits(getattr(part, name), hint):
                    raise folder.damaged(f"command has {name}={getattr(part, name)!r}")
        return request

    def begin(self, folder: "RunFolder") -> None:
        """Write the request to the record, unless it is there, and discard results of another.

        Raises:
            click.UsageError: Something else is in the folder.
            BlockingIOError: Another process is training in it.
        """
        with folder.locked():
            if differing := self.check(folder):
                stale = {"before": None} if differing - _SAME_TESTS else {}
                folder.write_record(command=self._entries(), report=None, **stale)

    def check(self, folder: "RunFolder") -> set[str]:
        """Return the options that differ from those in the record, as far as they may.

        Raises:
            click.UsageError: Something else is in the folder.
        """
        record, wanted = folder.read_record(), self._entries()
        if "command" not in record:
            check_no_strangers(folder)
        there = record.get("command") or {}
        differing = {key for key in {*there, *wanted} if there.get(key) != wanted.get(key)}
        if record.get("runs") and differing - _MAY_CHANGE:
            raise another_training(folder, differing)
        return differing

    def _entries(self) -> dict[str, Any]:
        """Return the request of types that JSON has, as it is in the record."""
        return json.loads(json.dumps(asdict(self)))


def check_no_strangers(folder: "RunFolder") -> None:
    """Raise click.UsageError if a folder without a record has files of others in it."""
    if strangers := folder.strangers():
        raise click.UsageError(
            "-o must be a new or empty folder, or that of a training. Received: "
            f"{folder.root}, with {', '.join(strangers[:3])}"
        )


def another_training(folder: "RunFolder", differing: set[str]) -> click.UsageError:
    """Return the error of a folder whose training has other options.

    Args:
        folder: The folder.
        differing: Names of attributes of the two requests.
    """
    names = sorted({"recipe" if key == "entries" else key for key in differing})
    return click.UsageError(
        f"{folder.root} has another training in it, which differs in {', '.join(names)}. "
        f"`keras-osnet resume {folder.root}` resumes that one; for a new one use another folder."
    )


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value from a record is of the type of an attribute."""
    if hint is Any:
        return True
    origin, inside = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(fits(value, each) for each in inside)
    if origin is tuple:
        each = inside[:1] * len(value) if isinstance(value, tuple) else ()
        whole = inside[-1] is ... or (isinstance(value, tuple) and len(value) == len(inside))
        return isinstance(value, tuple) and whole and all(map(fits, value, each))
    if origin is Mapping:
        return isinstance(value, dict) and all(fits(one, inside[1]) for one in value.values())
    if hint is float:
        hint = int | float
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
