"""The OSNet function, and models loaded from any kind of weights file."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.models.convert_file import convert_file
    from keras_osnet.models.list_models import list_models
    from keras_osnet.models.load_model import load_model
    from keras_osnet.models.osnet import OSNet

__getattr__, __dir__, __all__ = lazy.attach(__name__)
