"""The options of `distill`, as the folder's record stores them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from keras_osnet.cli._training_request import another_training, check_no_strangers, fits
from keras_osnet.cli.console import waiting
from keras_osnet.cli.options import RANDOM

if TYPE_CHECKING:
    import keras

    from keras_osnet.data import ReidDataset
    from keras_osnet.training import Recipe
    from keras_osnet.training.run_folder import RunFolder

ENTRY = "distill"
"""The entry of the record that the options are in."""

_MAY_CHANGE = {"in_memory"}


@dataclass(frozen=True)
class DistillationRequest:
    """The options of `distill`, except for its output folder; None if an option was not given.

    Attributes:
        teacher: Tags, files, addresses or tables, in their order.
        images: A folder, or with `labels` also a table.
        recipe: Name of the recipe.
        entries: Entries of the recipe's file, which `resume` does not need any more.
        settings: Values of --set by name.
        labels: Whether the people are learned beside.
    """

    teacher: tuple[str, ...]
    images: str
    recipe: str
    entries: Mapping[str, Any]
    settings: Mapping[str, Any]
    labels: bool = False
    flip: bool = True
    combine: str = "concatenate"
    width: float | None = None
    variant: str | None = None
    weights: str | None = None
    image_size: tuple[int, int] | None = None
    epochs: int | None = None
    seed: int = 0
    in_memory: bool = False

    def make_recipe(self) -> "Recipe":
        """Return the recipe with the options applied.

        Raises:
            ValueError: An entry or option is wrong.
        """
        from keras_osnet.training import Recipe

        recipe = Recipe.from_dict(self.recipe, self.entries)
        if recipe.task != "distillation":
            raise ValueError(
                "`recipe` must be of the task distillation. "
                f"Received: {self.recipe!r}, whose task is {recipe.task}"
            )
        if self.epochs is not None:
            recipe = recipe.with_epochs(self.epochs)
        labels = {"loss.label_weight": 1.0} if self.labels else {}
        recipe = recipe.with_overrides({**labels, **self.settings})
        weight = recipe.loss_term("label_weight")
        if self.labels != (weight > 0):
            raise ValueError(
                "A `loss.label_weight` above 0 needs --labels, and --labels needs it. Received: "
                f"`loss.label_weight` {weight!r} {'with' if self.labels else 'without'} --labels"
            )
        return recipe

    def read(self) -> "list[Path] | ReidDataset":
        """Return the images; with labels, their people.

        Raises:
            OSError: The folder does not exist any more, is none, or may not be read.
            ValueError: There are no images, or the people cannot be read.
        """
        from keras_osnet.data import list_images, read_people

        if not Path(self.images).exists():
            raise FileNotFoundError(f"`images` does not exist any more. Received: {self.images}")
        with waiting("Looking for images …"):
            if self.labels:
                return read_people(self.images)
            try:
                return list_images(self.images)
            except (NotADirectoryError, ValueError) as error:
                raise type(error)(str(error).replace("`folder`", "`images`")) from error

    def build_model(self, recipe: "Recipe") -> "keras.Model":
        """Build the student."""
        from keras_osnet.training import build_model

        own: dict[str, Any] = {}
        if self.weights is not None:
            own["weights"] = None if self.weights == RANDOM else self.weights
            if self.weights.startswith("hf://") or Path(self.weights).is_file():
                # Such a file says how wide its network is.
                table = {name: value for name, value in recipe.model.items() if name != "width"}
                recipe = replace(recipe, model=table)
        built = build_model(
            recipe, width=self.width, variant=self.variant, image_size=self.image_size, **own
        )
        return built[0] if isinstance(built, list) else built

    @classmethod
    def from_record(cls, folder: "RunFolder") -> "DistillationRequest | None":
        """Read the request from the record of a folder; None if it is of another command.

        Raises:
            ValueError: The record is damaged, or of another version.
        """
        entry = folder.read_record().get(ENTRY)
        if entry is None:
            return None
        names = {each.name for each in fields(cls)}
        if not isinstance(entry, dict) or set(entry) != names:
            raise folder.damaged(f"{ENTRY} is {entry!r:.200}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in entry.items()
        }
        for name, hint in get_type_hints(cls).items():
            if not fits(values[name], hint):
                raise folder.damaged(f"{ENTRY} has {name}={values[name]!r:.200}")
        return cls(**values)

    def begin(self, folder: "RunFolder") -> None:
        """Write the request to the record, unless it is there.

        Raises:
            click.UsageError: Something else is in the folder.
            BlockingIOError: Another process is training in it.
        """
        with folder.locked():
            self.check(folder)
            folder.write_record(**{ENTRY: self._entries()})

    def check(self, folder: "RunFolder") -> None:
        """Raise click.UsageError if something else is in the folder."""
        record, wanted = folder.read_record(), self._entries()
        if not record:
            check_no_strangers(folder)
        there = record.get(ENTRY, {} if record else wanted)
        differing = {key for key in {*there, *wanted} if there.get(key) != wanted.get(key)}
        if (record.get("runs") or (record and not there)) and differing - _MAY_CHANGE:
            raise another_training(folder, differing)

    def _entries(self) -> dict[str, Any]:
        """Return the request of types that JSON has, as it is in the record."""
        return json.loads(json.dumps(asdict(self)))
