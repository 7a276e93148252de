"""From the Hub, a torch checkpoint or a file of Keras's to the variables of a model, and back."""

from typing import TYPE_CHECKING

from keras_osnet import lazy

if TYPE_CHECKING:
    from keras_osnet.weights.catalogue import Checkpoint, find_checkpoint, list_weights
    from keras_osnet.weights.conversion import ConversionReport, load_torchreid, to_torchreid
    from keras_osnet.weights.description import describe_model
    from keras_osnet.weights.hub.client import WeightsUnavailableError
    from keras_osnet.weights.hub.verification import WeightsCorruptedError
    from keras_osnet.weights.publish.folder import prepare_folder
    from keras_osnet.weights.publish.push import PublishError, push
    from keras_osnet.weights.safetensors_file import save_safetensors
    from keras_osnet.weights.sources import locate_weights, open_weights, read_tensors
    from keras_osnet.weights.torch_file.reader import CheckpointError, read_torch_checkpoint
    from keras_osnet.weights.torch_file.writer import write_torch_checkpoint

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Checkpoint": "keras_osnet.weights.catalogue",
        "CheckpointError": "keras_osnet.weights.torch_file.reader",
        "ConversionReport": "keras_osnet.weights.conversion",
        "PublishError": "keras_osnet.weights.publish.push",
        "WeightsCorruptedError": "keras_osnet.weights.hub.verification",
        "WeightsUnavailableError": "keras_osnet.weights.hub.client",
        "describe_model": "keras_osnet.weights.description",
        "find_checkpoint": "keras_osnet.weights.catalogue",
        "list_weights": "keras_osnet.weights.catalogue",
        "load_torchreid": "keras_osnet.weights.conversion",
        "locate_weights": "keras_osnet.weights.sources",
        "open_weights": "keras_osnet.weights.sources",
        "prepare_folder": "keras_osnet.weights.publish.folder",
        "push": "keras_osnet.weights.publish.push",
        "read_tensors": "keras_osnet.weights.sources",
        "read_torch_checkpoint": "keras_osnet.weights.torch_file.reader",
        "save_safetensors": "keras_osnet.weights.safetensors_file",
        "to_torchreid": "keras_osnet.weights.conversion",
        "write_torch_checkpoint": "keras_osnet.weights.torch_file.writer",
    },
)
