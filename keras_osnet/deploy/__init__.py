"""From a trained model to files that run elsewhere: batch-norm folding, LiteRT, ONNX, OpenVINO."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.deploy.fidelity import measure_fidelity
    from keras_osnet.deploy.fidelity_report import FidelityError, FidelityReport
    from keras_osnet.deploy.fold import fold_batch_norm
    from keras_osnet.deploy.litert_embedder import embedder
    from keras_osnet.deploy.onnx_exporter import export_onnx
    from keras_osnet.deploy.openvino_exporter import export_openvino
    from keras_osnet.deploy.tflite_exporter import export_tflite

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "FidelityError": "keras_osnet.deploy.fidelity_report",
        "FidelityReport": "keras_osnet.deploy.fidelity_report",
        "embedder": "keras_osnet.deploy.litert_embedder",
        "export_onnx": "keras_osnet.deploy.onnx_exporter",
        "export_openvino": "keras_osnet.deploy.openvino_exporter",
        "export_tflite": "keras_osnet.deploy.tflite_exporter",
        "measure_fidelity": "keras_osnet.deploy.fidelity",
        "fold_batch_norm": "keras_osnet.deploy.fold",
    },
)
