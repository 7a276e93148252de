"""Load weights from the Hub and from files, and convert them from and to torchreid."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.weights.catalogue import list_weights
    from keras_osnet.weights.convert import to_torchreid
    from keras_osnet.weights.hub import DownloadError
    from keras_osnet.weights.publish import PublishError, push_to_hub, save_for_hub
    from keras_osnet.weights.safetensors import save_safetensors
    from keras_osnet.weights.sources import load_torchreid, read_state_dict
    from keras_osnet.weights.torch_file.reader import CheckpointError, read_torch_checkpoint
    from keras_osnet.weights.torch_file.writer import write_torch_checkpoint

__getattr__, __dir__, __all__ = lazy.attach(__name__)
