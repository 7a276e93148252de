"""Train by recipe: the trainer, its results, distillation, callbacks and distribution."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.training.callbacks import RetrievalMetrics
    from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset
    from keras_osnet.training.distill import distill
    from keras_osnet.training.distributed import distributed
    from keras_osnet.training.distribution import deterministic
    from keras_osnet.training.mutual_learning import mutual_learning_model
    from keras_osnet.training.networks import build_model, freeze_except
    from keras_osnet.training.recipe import Recipe, list_recipes, load_recipe
    from keras_osnet.training.train_seeds import train_seeds
    from keras_osnet.training.trainer import train

__getattr__, __dir__, __all__ = lazy.attach(__name__)
