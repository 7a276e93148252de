"""Fine-tune, test and export a model in a few minutes, with a report."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.quickstart.quickstart import quickstart

__getattr__, __dir__, __all__ = lazy.attach(__name__)
