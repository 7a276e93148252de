"""ONNX and OpenVINO files: conversion through Keras, names and metadata."""

from pathlib import Path

import keras

from keras_osnet._utils.optional import require
from keras_osnet.runtime.metadata import KEY, ModelMetadata


def write_onnx(model: keras.Model, output: str, file: Path, quantization: str | None) -> None:  # noqa: ARG001
    """Write an `.onnx` file through `model.export`; `describe_onnx` names its output."""
    require("tf2onnx", "Exporting to ONNX", "deploy")
    _export(model, file, "onnx")


def write_openvino(model: keras.Model, output: str, file: Path, quantization: str | None) -> None:  # noqa: ARG001
    """Write an `.xml` file, and its `.bin`, through `model.export`.

    `describe_openvino` names its output and stores its weights as float16.
    """
    require("openvino", "Exporting to OpenVINO", "deploy")
    _export(model, file, "openvino")


def describe_onnx(file: Path, metadata: ModelMetadata, output: str) -> None:
    """Name input and output of an ONNX file and put the metadata into `metadata_props`."""
    onnx = require("onnx", "Exporting to ONNX", "deploy")
    model = onnx.load(file)
    names = {model.graph.input[0].name: "image", model.graph.output[0].name: output}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(each, each) for each in ends]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, metadata.to_json()
    onnx.save(model, file)


def describe_openvino(file: Path, metadata: ModelMetadata, output: str) -> None:
    """Name input and output of OpenVINO's files and put the metadata into `rt_info`."""
    openvino = require("openvino", "Exporting to OpenVINO", "deploy")
    # From memory: the reader maps the weights' file, which is written again.
    model = openvino.Core().read_model(file.read_bytes(), file.with_suffix(".bin").read_bytes())
    model.inputs[0].tensor.set_names({"image"})
    model.outputs[0].tensor.set_names({output})
    model.set_rt_info(metadata.to_json(), [KEY])
    openvino.save_model(model, file, compress_to_fp16=metadata.quantization == "float16")


def _export(model: keras.Model, file: Path, kind: str) -> None:
    image = model.inputs[0]
    # The input's shape: by default, Keras would leave the batch open.
    signature = [keras.InputSpec(shape=image.shape, dtype=image.dtype, name=image.name)]
    model.export(str(file), format=kind, input_signature=signature, verbose=False)
