"""The options of `train`, as the folder's record stores them, and the datasets they name."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import click

from keras_osnet import __version__
from keras_osnet.cli.console import waiting
from keras_osnet.cli.options import RANDOM
from keras_osnet.cli.people import (
    BY_DATASET,
    BY_TABLE,
    PeopleSource,
    RetrievalTask,
    is_divided,
    retrieval_task,
)

if TYPE_CHECKING:
    import keras

    from keras_osnet.data import ReidDataset
    from keras_osnet.data.records import Dataset
    from keras_osnet.training import Recipe
    from keras_osnet.training.run_folder import RunFolder

OWN = "own"
"""Name of a user's own images where a published dataset could be named."""

_SHARE = 0.5
"""Default of --test-share."""

_SAME_TESTS = {"seeds", "in_memory", "final"}
_MAY_CHANGE = {*_SAME_TESTS, "targets"}
"""Options that do not change the trainings that are done: more of them, other tests, speed."""


@dataclass(frozen=True)
class TrainingSources:
    """The options of `train` that say what to train on; None if an option was not given."""

    data: tuple[str, ...]
    dataset: tuple[str, ...] = ()
    version: str | None = None
    split: int | None = None
    all_splits: bool = False
    camera_pattern: str | None = None
    check: bool = True
    test_share: float | None = None
    combineall: bool = False

    def check_usage(self, task: str) -> None:
        """Raise click.UsageError if options contradict each other, or do not fit a task."""
        if self.dataset and len(self.dataset) != len(self.data):
            raise click.UsageError(
                "--data and --dataset go in pairs: --data DIR --dataset NAME --data DIR --dataset "
                f'NAME; "{OWN}" is the NAME of your own images.'
            )
        if task != "reid":
            reason = f"is for recipes whose task is reid, not {task}"
            self._refuse(
                reason, "split", "all_splits", "camera_pattern", "test_share", "combineall"
            )
            if len(self.data) > 1:
                raise click.UsageError(f"Several --data {reason}.")
            if task == "classification" and not self._published:
                raise click.UsageError(
                    "The recipe's task is classification: give --dataset cifar10, cifar100 or "
                    "imagenet."
                )
        if len(self.data) > 1:
            reason = "is of one dataset, and --data names several to be mixed"
            self._refuse(reason, "version", "split", "all_splits", "test_share")
        elif self._published:
            reason = "is for your own images; --dataset has its own"
            self._refuse(reason, "camera_pattern", "test_share")
        else:
            reason = "is of a published dataset; give --dataset NAME"
            self._refuse(reason, "version", "split", "all_splits")
        if not self._published and not self.check:
            raise click.UsageError("--no-check is of a published dataset; give --dataset NAME.")
        if self.combineall:
            reason = "tests on some people, and --combineall trains on all"
            self._refuse(reason, "all_splits", *(("test_share",) if self.test_share else ()))

    def read(self, task: str) -> "tuple[list[Dataset], str]":
        """Read one dataset, or all splits of it.

        Returns:
            The datasets, and which of their images are queries and gallery, for the report.

        Raises:
            click.UsageError: A table is needed, or --test-share does not apply to it.
            ValueError: It is a dataset of another kind than the task's, or cannot be read.
            OSError: Files are not there, or cannot be read.
        """
        from keras_osnet.data.readable import readable

        if task == "reid":
            return self._read_people()
        if not self._published:
            from keras_osnet.data import attributes_from_table

            if Path(self.data[0]).is_dir():
                raise click.UsageError(
                    "--data is a folder: give --dataset pa100k, or name a table (.csv, .parquet)."
                )
            return [readable(attributes_from_table(self.data[0]))], ""
        from keras_osnet.data import AttributeDataset, ClassificationDataset, read_dataset

        content = read_dataset(
            self.dataset[0], self.data[0], version=self.version, check=self.check
        )
        kind: Any = AttributeDataset if task == "attributes" else ClassificationDataset
        if not isinstance(content, kind):
            raise ValueError(
                f"--dataset must fit the recipe, whose task is {task}. "
                f"Received: {content.name}, a dataset of another kind"
            )
        return [readable(content)], ""

    @property
    def _published(self) -> bool:
        """Return whether any of the data is a published dataset."""
        return any(name != OWN for name in self.dataset)

    def _refuse(self, reason: str, *names: str) -> None:
        for name in names:
            given = getattr(self, name)
            if given is not None and given is not False:
                raise click.UsageError(f"--{name.replace('_', '-')} {reason}.")

    def _read_people(self) -> "tuple[list[Dataset], str]":
        from keras_osnet.data.readable import readable

        sources = [
            self._source(data, None if name == OWN else name)
            for data, name in zip(self.data, self.dataset or (OWN,) * len(self.data), strict=True)
        ]
        if len(sources) > 1:
            from keras_osnet.data import merge_datasets

            parts = [self._to_train_on(readable(source.read())) for source in sources]
            return [merge_datasets(parts)], ""
        (source,) = sources
        if self.all_splits:
            return [readable(content) for content in source.read_all_splits()], BY_DATASET
        content = readable(source.read())
        if self.trains_on_all:
            return [self._to_train_on(content)], ""
        content, division = (content, BY_DATASET) if source.dataset else self._with_test(content)
        return [content], division

    @property
    def is_own(self) -> bool:
        """Return whether the images are a user's own, from one place."""
        return len(self.data) == 1 and not self._published

    @property
    def trains_on_all(self) -> bool:
        """Return whether nobody is left out of the training to test on."""
        return self.combineall or self.test_share == 0

    def _source(self, data: str, name: str | None) -> PeopleSource:
        own = name is None
        return PeopleSource(
            data=Path(data),
            dataset=name,
            version=self.version,
            split=self.split,
            camera_pattern=self.camera_pattern if own else None,
            check=own or self.check,
        )

    def _to_train_on(self, content: "ReidDataset") -> "ReidDataset":
        """Return a dataset without its test part, or with that part among the training data."""
        from keras_osnet.data import combineall

        on_all = self.combineall or self.test_share == 0
        whole = combineall(content) if on_all else _without_strangers(content)
        return replace(whole, query=(), gallery=())

    def _with_test(self, people: "ReidDataset") -> "tuple[ReidDataset, str]":
        """Return a user's own people, a share of them to test on as `evaluate` does."""
        from keras_osnet.data import split_by_identity
        from keras_osnet.data.datasets.splits import divide_images

        if is_divided(people):
            self._refuse("divides people, but the table has queries and a gallery", "test_share")
            return people, BY_TABLE
        known = _without_strangers(people).train
        share = _SHARE if self.test_share is None else self.test_share
        strangers = [image for image in people.train if image.distractor]
        try:
            divided = split_by_identity(known, share, name=people.name)
            held_out = [*divided.query, *divided.gallery, *strangers]
            query, gallery, division = divide_images(held_out)
        except ValueError as error:
            raise ValueError(
                f"--test-share must leave people to train on, and others to test on. {error}; "
                "--test-share 0 trains on all, without a test"
            ) from error
        tested = replace(divided, query=tuple(query), gallery=tuple(gallery))
        return replace(tested, validation=people.validation), division


@dataclass(frozen=True)
class TrainingData:
    """What `train` reads.

    Attributes:
        datasets: One dataset, or its splits.
        division: Which of their images are queries and gallery.
        targets: Queries and gallery of further datasets to test on, by name.
    """

    datasets: "list[Dataset]"
    division: str
    targets: dict[str, RetrievalTask]

    @property
    def test(self) -> RetrievalTask | None:
        """The test of re-identification on the datasets' own queries and gallery."""
        from keras_osnet.data import ReidDataset

        people = [each for each in self.datasets if isinstance(each, ReidDataset) and each.query]
        if not people:
            return None
        return RetrievalTask(
            [(each.query, each.gallery) for each in people],
            "single-gallery-shot" if people[0].single_gallery_shot else "market1501",
            division=self.division,
        )


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
            targets = {name: _target(name, place) for name, place in self.targets.items()}
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
                if not _fits(getattr(part, name), hint):
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
        if "command" not in record and (strangers := folder.strangers()):
            raise click.UsageError(
                "-o must be a new or empty folder, or that of a training. Received: "
                f"{folder.root}, with {', '.join(strangers[:3])}"
            )
        there = record.get("command") or {}
        differing = {key for key in {*there, *wanted} if there.get(key) != wanted.get(key)}
        if record.get("runs") and differing - _MAY_CHANGE:
            names = sorted({"recipe" if key == "entries" else key for key in differing})
            raise click.UsageError(
                f"{folder.root} has another training in it, which differs in "
                f"{', '.join(names)}. `keras-osnet resume {folder.root}` resumes that one; for "
                "a new one use another folder."
            )
        return differing

    def _entries(self) -> dict[str, Any]:
        """Return the request of types that JSON has, as it is in the record."""
        return json.loads(json.dumps(asdict(self)))


def _without_strangers(content: "ReidDataset") -> "ReidDataset":
    """Return a dataset that trains without distractors, who would count as one person."""
    known = tuple(image for image in content.train if not image.distractor)
    return replace(content, train=known)


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value from a record is of the type of an attribute."""
    if hint is Any:
        return True
    origin, inside = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(_fits(value, each) for each in inside)
    if origin is tuple:
        each = inside[:1] * len(value) if isinstance(value, tuple) else ()
        whole = inside[-1] is ... or (isinstance(value, tuple) and len(value) == len(inside))
        return isinstance(value, tuple) and whole and all(map(_fits, value, each))
    if origin is Mapping:
        return isinstance(value, dict) and all(_fits(one, inside[1]) for one in value.values())
    if hint is float:
        hint = int | float
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _target(name: str, place: str) -> RetrievalTask:
    """Return the queries and gallery of a dataset that is only tested on."""
    from keras_osnet.data import ReidDataset, dataset_info
    from keras_osnet.data.readable import readable

    if name == OWN:
        task = retrieval_task(PeopleSource(data=Path(place)))
    else:
        splits = next(iter(dataset_info(name).versions.values())).splits
        task = retrieval_task(PeopleSource(data=Path(place), dataset=name), splits > 1)
    parts = [
        readable(ReidDataset(name=place, train=(), query=tuple(query), gallery=tuple(gallery)))
        for query, gallery in task.splits
    ]
    return replace(task, splits=[(part.query, part.gallery) for part in parts])
