"""Export models: batch-norm folding, LiteRT, ONNX and OpenVINO."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.deploy.export import export, litert_embedder
    from keras_osnet.deploy.fidelity import FidelityError, measure_fidelity
    from keras_osnet.deploy.fold import fold_batch_norm

__getattr__, __dir__, __all__ = lazy.attach(__name__)
