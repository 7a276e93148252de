"""Train by recipe: the trainer, its results, callbacks and distribution."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.training.build_model import build_model
    from keras_osnet.training.callbacks import RetrievalMetrics
    from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset
    from keras_osnet.training.distributed import distributed
    from keras_osnet.training.mutual_learning import (
        MutualLearning,
        MutualLearningModel,
        mutual_learning_model,
    )
    from keras_osnet.training.networks import freeze_except
    from keras_osnet.training.recipe import Recipe, list_recipes, load_recipe
    from keras_osnet.training.run_folder import TrainingResult
    from keras_osnet.training.train_seeds import TrainingResults, train_seeds
    from keras_osnet.training.trainer import deterministic, train

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "MutualLearning": "keras_osnet.training.mutual_learning",
        "MutualLearningModel": "keras_osnet.training.mutual_learning",
        "Recipe": "keras_osnet.training.recipe",
        "RetrievalMetrics": "keras_osnet.training.callbacks",
        "TrainingDataset": "keras_osnet.training.dataset",
        "TrainingResult": "keras_osnet.training.run_folder",
        "TrainingResults": "keras_osnet.training.train_seeds",
        "build_model": "keras_osnet.training.build_model",
        "deterministic": "keras_osnet.training.trainer",
        "distributed": "keras_osnet.training.distributed",
        "freeze_except": "keras_osnet.training.networks",
        "list_recipes": "keras_osnet.training.recipe",
        "load_recipe": "keras_osnet.training.recipe",
        "mutual_learning_model": "keras_osnet.training.mutual_learning",
        "to_tf_dataset": "keras_osnet.training.dataset",
        "train": "keras_osnet.training.trainer",
        "train_seeds": "keras_osnet.training.train_seeds",
    },
)
