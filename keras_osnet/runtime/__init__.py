"""Run exported models with LiteRT, ONNX Runtime or OpenVINO, without TensorFlow and Keras.

Importing this package needs only numpy; an `Embedder` needs Pillow and the engine of its file.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.runtime.benchmark import benchmark
    from keras_osnet.runtime.embedder import Embedder
    from keras_osnet.runtime.read_metadata import ModelFileError, read_metadata
    from keras_osnet.runtime.write_threshold import write_threshold

__getattr__, __dir__, __all__ = lazy.attach(__name__)
