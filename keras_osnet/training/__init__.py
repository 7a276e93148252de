"""Train by recipe: the trainer, its results, callbacks and distribution."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.training.building import build_model
    from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset
    from keras_osnet.training.determinism import deterministic
    from keras_osnet.training.distribution import distributed
    from keras_osnet.training.freezing import freeze_except
    from keras_osnet.training.mutual_learning import (
        MutualLearning,
        MutualLearningModel,
        mutual_learning_model,
    )
    from keras_osnet.training.recipe import Recipe, list_recipes, load_recipe
    from keras_osnet.training.repetition import TrainingResults, train_seeds
    from keras_osnet.training.retrieval_metrics import RetrievalMetrics
    from keras_osnet.training.run import TrainedRun
    from keras_osnet.training.run_record import RunRecord
    from keras_osnet.training.trainer import train

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "MutualLearning": "keras_osnet.training.mutual_learning",
        "MutualLearningModel": "keras_osnet.training.mutual_learning",
        "Recipe": "keras_osnet.training.recipe",
        "TrainingResults": "keras_osnet.training.repetition",
        "RetrievalMetrics": "keras_osnet.training.retrieval_metrics",
        "RunRecord": "keras_osnet.training.run_record",
        "TrainedRun": "keras_osnet.training.run",
        "TrainingDataset": "keras_osnet.training.dataset",
        "build_model": "keras_osnet.training.building",
        "deterministic": "keras_osnet.training.determinism",
        "distributed": "keras_osnet.training.distribution",
        "freeze_except": "keras_osnet.training.freezing",
        "list_recipes": "keras_osnet.training.recipe",
        "load_recipe": "keras_osnet.training.recipe",
        "mutual_learning_model": "keras_osnet.training.mutual_learning",
        "to_tf_dataset": "keras_osnet.training.dataset",
        "train": "keras_osnet.training.trainer",
        "train_seeds": "keras_osnet.training.repetition",
    },
)
