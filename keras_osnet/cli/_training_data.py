"""The images that `train` and `resume` read, by the options that name them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli.people import (
    BY_DATASET,
    BY_TABLE,
    PeopleSource,
    RetrievalTask,
    is_divided,
    retrieval_task,
)

if TYPE_CHECKING:
    from keras_osnet.data import ReidDataset
    from keras_osnet.data.records import Dataset

OWN = "own"
"""Name of a user's own images where a published dataset could be named."""

_SHARE = 0.5
"""Default of --test-share."""


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

        whole = combineall(content) if self.trains_on_all else _without_strangers(content)
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
    def people(self) -> "list[ReidDataset]":
        """The datasets if they are of re-identification."""
        from keras_osnet.data import ReidDataset

        return [each for each in self.datasets if isinstance(each, ReidDataset)]

    @property
    def test(self) -> RetrievalTask | None:
        """The test of re-identification on the datasets' own queries and gallery."""
        people = [each for each in self.people if each.query]
        if not people:
            return None
        return RetrievalTask(
            [(each.query, each.gallery) for each in people],
            "single-gallery-shot" if people[0].single_gallery_shot else "market1501",
            division=self.division,
        )


def target_task(name: str, place: str) -> RetrievalTask:
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


def _without_strangers(content: "ReidDataset") -> "ReidDataset":
    """Return a dataset that trains without distractors, who would count as one person."""
    known = tuple(image for image in content.train if not image.distractor)
    return replace(content, train=known)
