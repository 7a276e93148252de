"""The description of a model, written into its file."""

import zipfile
from pathlib import Path

from keras_osnet.deploy._require import require
from keras_osnet.runtime.metadata import (
    KEY,
    TFLITE_DESCRIPTION,
    TFLITE_LABELS,
    ModelMetadata,
)

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that ZIP knows: the same model gives the same bytes."""


def describe_tflite(file: Path, description: ModelMetadata) -> None:
    """Append the description and the labels to a flatbuffer as a ZIP.

    TFLite's metadata keeps its associated files so: readers of the flatbuffer do not look behind
    it, and readers of ZIP begin at a file's end.
    """
    entries = {TFLITE_DESCRIPTION: description.to_json()}
    if description.labels:
        entries[TFLITE_LABELS] = "".join(f"{label}\n" for label in description.labels)
    with zipfile.ZipFile(file, "a") as archive:
        for name, text in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text)


def describe_onnx(file: Path, description: ModelMetadata, output: str) -> None:
    """Name input and output of an ONNX file and put the description into `metadata_props`."""
    onnx = require("onnx", "Exporting to ONNX")
    model = onnx.load(file)
    names = {model.graph.input[0].name: "image", model.graph.output[0].name: output}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(each, each) for each in ends]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, description.to_json()
    onnx.save(model, file)


def describe_openvino(file: Path, description: ModelMetadata, output: str) -> None:
    """Name input and output of OpenVINO's files and put the description into `rt_info`."""
    openvino = require("openvino", "Exporting to OpenVINO")
    # From memory: the reader maps the weights' file, which is written anew.
    model = openvino.Core().read_model(file.read_bytes(), file.with_suffix(".bin").read_bytes())
    model.inputs[0].tensor.set_names({"image"})
    model.outputs[0].tensor.set_names({output})
    model.set_rt_info(description.to_json(), [KEY])
    openvino.save_model(model, file, compress_to_fp16=description.quantization == "float16")
