"""The result of a training, and its networks as they are read from files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_osnet.training.run_folder import RunFolder, explain_damage

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        folder: The folder of the training.
        networks: Number of networks: one, or several that learned from each other.
        metrics: A row of numbers for each epoch: `epoch` from 1, `learning_rate`, `loss`, ….
        best_epoch: The epoch whose weights are used, from 1; None if it is the last.
        test: Metrics on the dataset's query and gallery, or test part; None if there are no test
            images.
        embedders: The models that were given to `train`, with the weights of the best epoch, if
            one was chosen. Empty in the results of `train_seeds`: see `load_embedders`.
        classifiers: The same models with their classifier. Empty in the results of `train_seeds`:
            see `load_classifiers`.
    """

    folder: Path
    networks: int
    metrics: list[dict[str, float]]
    best_epoch: int | None
    test: dict[str, Any] | None
    embedders: "Sequence[keras.Model]" = ()
    classifiers: "Sequence[keras.Model]" = ()

    @property
    def paths(self) -> list[Path]:
        """The files of the networks: those of the best epoch, if one was chosen."""
        which = "last" if self.best_epoch is None else "best"
        return RunFolder(self.folder).model_paths(which, self.networks)

    def load_classifiers(self) -> "list[keras.Model]":
        """Load the networks with their classifier from `paths`.

        Raises:
            ValueError: A file does not exist any more.
        """
        return [load_classifier(path) for path in self.paths]

    def load_embedders(self) -> "list[keras.Model]":
        """Load the networks up to their embedding from `paths`.

        Raises:
            ValueError: A file does not exist any more.
        """
        from keras_osnet.training.networks import without_classifier

        return [without_classifier(classifier) for classifier in self.load_classifiers()]


def load_classifier(path: Path) -> "keras.Model":
    """Load a network with its classifier.

    Raises:
        ValueError: The file does not exist any more, or is damaged.
    """
    from keras_osnet.weights.keras_files import load_keras_model

    with explain_damage(path):
        return load_keras_model(path)
