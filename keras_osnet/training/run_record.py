"""A training that is done, without its networks in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_osnet.training.network import without_classifier
from keras_osnet.training.run_folder import RunFolder


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord:
    """What came out of a training, and where its networks are.

    Attributes:
        folder: Where everything is.
        networks: How many there are: one, or several that learned from each other.
        metrics: A row of numbers for each epoch: `epoch` from 1, `learning_rate`, `loss`, ….
        best_epoch: The one whose weights count, from 1; None if it is the last.
        result: The figures of the test on the dataset's query and gallery, or test part; None if
            there is none.
    """

    folder: Path
    networks: int
    metrics: list[dict[str, float]]
    best_epoch: int | None
    result: dict[str, Any] | None

    @property
    def paths(self) -> list[Path]:
        """The files of the networks that count: those of the best epoch, where there is one."""
        which = "last" if self.best_epoch is None else "best"
        return RunFolder(self.folder).model_paths(which, self.networks)

    def load_classifiers(self) -> list[keras.Model]:
        """Load the networks that count, with their classifier.

        Raises:
            ValueError: If a file is not there any more.
        """
        return [keras.saving.load_model(path, compile=False) for path in self.paths]

    def load_embedders(self) -> list[keras.Model]:
        """Load the networks that count, up to their embedding.

        Raises:
            ValueError: If a file is not there any more.
        """
        return [without_classifier(classifier) for classifier in self.load_classifiers()]
