"""What `train` trains on, from the options of the command."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli.people import PeopleSource, is_divided

if TYPE_CHECKING:
    from keras_osnet.data import ReidDataset
    from keras_osnet.data.datasets.records import Dataset

OWN = "own"
"""What stands for a user's own pictures where a published dataset could be named."""

_SHARE = 0.5
"""Of a user's own people, the share that is tested on if the user does not say."""


@dataclass(frozen=True)
class TrainingSources:
    """What is trained on, as the options have it.

    Attributes:
        data: Folders or tables; several are mixed.
        dataset: For each of them the published dataset in it or `OWN`; or nothing at all.
        version: Of the dataset; None if the option was not given, as are the others.
        split: Of the dataset.
        all_splits: Whether to train on each split.
        camera_pattern: Where the camera's number is in the paths of a user's own pictures.
        check: Whether datasets have to be as they were published.
        test_share: Share of a user's own people to test on.
        combineall: Whether to train on all people of a dataset.
    """

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
        """Raise click.UsageError if options contradict each other, or do not fit a recipe's task.

        Args:
            task: `"reid"`, `"attributes"` or `"classification"`.
        """
        if self.dataset and len(self.dataset) != len(self.data):
            raise click.UsageError(
                "--data and --dataset go in pairs: --data DIR --dataset NAME --data DIR --dataset "
                f'NAME; "{OWN}" is the NAME of your own pictures.'
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
            reason = "is for your own pictures; --dataset has its own"
            self._refuse(reason, "camera_pattern", "test_share")
        else:
            reason = "is of a published dataset; give --dataset NAME"
            self._refuse(reason, "version", "split", "all_splits")
        if not self._published and not self.check:
            raise click.UsageError("--no-check is of a published dataset; give --dataset NAME.")
        if self.combineall:
            reason = "tests on some people, and --combineall trains on all"
            self._refuse(reason, "all_splits", *(("test_share",) if self.test_share else ()))

    def read(self, task: str) -> "list[Dataset]":
        """Read what is there.

        Args:
            task: `"reid"`, `"attributes"` or `"classification"`.

        Returns:
            One dataset, or all splits of it.

        Raises:
            click.UsageError: As for `check_usage`.
            FileNotFoundError: A folder or table is not there.
            ValueError: It is a dataset of another kind than the task's, or what reads it refuses.
            OSError: Files cannot be read.
        """
        self.check_usage(task)
        if task == "reid":
            return [*self._read_people()]
        if not self._published:
            from keras_osnet.data import attributes_from_table

            if Path(self.data[0]).is_dir():
                raise click.UsageError(
                    "--data is a folder: give --dataset pa100k, or name a table (.csv, .parquet)."
                )
            return [attributes_from_table(self.data[0])]
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
        return [content]

    @property
    def _published(self) -> bool:
        """Whether any of the data is a published dataset."""
        return any(name != OWN for name in self.dataset)

    def _refuse(self, reason: str, *names: str) -> None:
        for name in names:
            given = getattr(self, name)
            if given is not None and given is not False:
                raise click.UsageError(f"--{name.replace('_', '-')} {reason}.")

    def _read_people(self) -> "Sequence[ReidDataset]":
        sources = [
            self._source(data, None if name == OWN else name)
            for data, name in zip(self.data, self.dataset or (OWN,) * len(self.data), strict=True)
        ]
        if len(sources) > 1:
            from keras_osnet.data import merge_datasets

            return [merge_datasets([self._to_train_on(source.read()) for source in sources])]
        (source,) = sources
        if self.all_splits:
            return source.read_all_splits()
        content = source.read()
        if self.combineall or self.test_share == 0:
            return [self._to_train_on(content)]
        return [content if source.dataset else self._with_test(content)]

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
        """A dataset without what is to be tested on, or with it among what is trained on."""
        from keras_osnet.data import combineall

        on_all = self.combineall or self.test_share == 0
        whole = combineall(content) if on_all else _without_strangers(content)
        return replace(whole, query=(), gallery=())

    def _with_test(self, people: "ReidDataset") -> "ReidDataset":
        """A user's own people, some of them to test on."""
        from keras_osnet.data import split_by_identity

        if is_divided(people):
            self._refuse("divides people, but the table has queries and a gallery", "test_share")
            return people
        known = _without_strangers(people).train
        share = _SHARE if self.test_share is None else self.test_share
        divided = split_by_identity(known, share, name=people.name)
        strangers = [image for image in people.train if image.distractor]
        return replace(
            divided,
            gallery=(*divided.gallery, *strangers),
            validation=people.validation,
        )


def _without_strangers(content: "ReidDataset") -> "ReidDataset":
    """Train without distractors, who would be taken for one person."""
    known = tuple(image for image in content.train if not image.distractor)
    return replace(content, train=known)
