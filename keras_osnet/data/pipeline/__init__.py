"""From files to augmented batches."""

from typing import TYPE_CHECKING

from keras_osnet import lazy

if TYPE_CHECKING:
    from keras_osnet.data.pipeline.batches import TrainingPictures

HOMES = {"TrainingPictures": "keras_osnet.data.pipeline.batches"}
"""For each public name, the module that defines it."""

__getattr__, __dir__, __all__ = lazy.attach(__name__, HOMES)
