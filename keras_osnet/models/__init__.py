"""The OSNet function, and models loaded from any kind of weights file."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.models.convert_file import ConvertedFile, convert_file
    from keras_osnet.models.describe_checkpoint import describe_checkpoint, describe_layers
    from keras_osnet.models.list_models import list_models
    from keras_osnet.models.load_model import Checkpoint, load_model, open_checkpoint
    from keras_osnet.models.osnet import OSNet

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Checkpoint": "keras_osnet.models.load_model",
        "ConvertedFile": "keras_osnet.models.convert_file",
        "OSNet": "keras_osnet.models.osnet",
        "convert_file": "keras_osnet.models.convert_file",
        "describe_checkpoint": "keras_osnet.models.describe_checkpoint",
        "describe_layers": "keras_osnet.models.describe_checkpoint",
        "list_models": "keras_osnet.models.list_models",
        "load_model": "keras_osnet.models.load_model",
        "open_checkpoint": "keras_osnet.models.load_model",
    },
)
