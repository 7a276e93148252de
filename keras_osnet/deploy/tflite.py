"""TFLite files: conversion, int8 weights, metadata, and the operations that delegates leave out."""

import dataclasses
import tomllib
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_osnet._utils.optional import require
from keras_osnet.deploy.tflite_metadata import add_tflite_metadata
from keras_osnet.runtime.metadata import (
    NO_DIGEST,
    TFLITE_LABELS,
    TFLITE_METADATA,
    ModelMetadata,
)
from keras_osnet.runtime.read_metadata import digest_of
from keras_osnet.runtime.replace_metadata import with_archive

_FEWEST_WEIGHTS = 1024
"""Smaller kernels stay float: those of the gates, which are fast and affect every pixel."""


def tflite_bytes(
    model: keras.Model, names: tuple[str, str], quantization: str | None = None
) -> bytes:
    """Convert a model to a TFLite flatbuffer with the signature `serving_default`.

    Variables become constants before the converter sees the graph, which it then converts three
    times faster than a Keras model or a SavedModel.

    Args:
        model: Functional, with one input and one output.
        names: Of the input and the output in the signature.
        quantization: None, `"float16"` (weights as float16) or `"dynamic"` (weights as int8).
    """
    tf = require("tensorflow", "Exporting", "deploy")
    freezing = require("tensorflow.python.framework.convert_to_constants", "Exporting", "deploy")
    image = model.inputs[0]
    signature = [tf.TensorSpec(image.shape, image.dtype, name=names[0])]

    @tf.function(autograph=False, input_signature=signature)
    def called(image: Any) -> Any:
        return model(image, training=False)

    frozen = freezing.convert_variables_to_constants_v2(called.get_concrete_function())

    @tf.function(autograph=False, input_signature=signature)
    def serving_default(image: Any) -> dict[str, Any]:
        return {names[1]: frozen(image)[0]}

    holder = tf.Module()
    holder.serving_default = serving_default
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serving_default.get_concrete_function()], holder
    )
    if quantization == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    return _with_dynamic_range(content) if quantization == "dynamic" else content


def write_metadata(file: Path, metadata: ModelMetadata, names: tuple[str, str]) -> None:
    """Write TFLite's own metadata into a flatbuffer, and ours and the labels into a ZIP behind it.

    Args:
        file: A flatbuffer, which is replaced.
        metadata: To write.
        names: Of the input and the output in the signature.
    """
    content = add_tflite_metadata(file.read_bytes(), metadata, names)
    text = dataclasses.replace(metadata, digest=NO_DIGEST).to_json()
    text = text.replace(NO_DIGEST, digest_of(content, text))
    entries = {TFLITE_METADATA: text.encode()}
    if metadata.labels:
        entries[TFLITE_LABELS] = "".join(f"{label}\n" for label in metadata.labels).encode()
    file.write_bytes(with_archive(content, entries))


def off_gpu(file: Path) -> tuple[str, ...]:
    """List the operations of a `.tflite` file that TFLite's GPU delegate does not support.

    The delegate also refuses some supported operations for their shapes or options, and every file
    with open shapes; only the log of a phone is conclusive.

    Returns:
        Texts such as `"1 × CAST"`; empty if all operations are supported.
    """
    text = resources.files("keras_osnet.deploy").joinpath("gpu_operations.toml").read_text("utf-8")
    table = tomllib.loads(text)
    known, castable = set(table["operations"]), set(table["cast"])
    # As they are in the file: delegates add operations.
    litert = require("ai_edge_litert.interpreter", "Inspecting .tflite files", "deploy")
    interpreter = litert.Interpreter(
        model_content=file.read_bytes(),
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    types = {
        each["index"]: np.dtype(each["dtype"]).name for each in interpreter.get_tensor_details()
    }

    def is_off(operation: dict[str, Any]) -> bool:
        ends = {types.get(int(each)) for each in (*operation["inputs"], *operation["outputs"])}
        name = operation["op_name"]
        return name not in known or (name == "CAST" and not ends <= castable)

    return _counted(each for each in interpreter._get_ops_details() if is_off(each))


def off_xnnpack(file: Path) -> tuple[str, ...]:
    """List the operations of a `.tflite` file that XNNPACK leaves to the built-in kernels.

    Returns:
        Texts such as `"2 × GATHER"`; empty if XNNPACK runs the whole model.
    """
    litert = require("ai_edge_litert.interpreter", "Inspecting .tflite files", "deploy")
    interpreter = litert.Interpreter(model_content=file.read_bytes())
    interpreter.allocate_tensors()
    operations = interpreter._get_ops_details()
    delegates = [each for each in operations if each["op_name"] == "DELEGATE"]
    own = [each for each in operations if each["op_name"] != "DELEGATE"]
    producer = {int(tensor): each for each in own for tensor in each["outputs"]}
    taken = set()
    for delegate in delegates:
        taken |= _inside(delegate, producer)
    return _counted(each for each in own if each["index"] not in taken)


def _with_dynamic_range(content: bytes) -> bytes:
    """Store the weights of a float flatbuffer as int8, with one scale per output channel.

    Each layer's input is rounded to int8 at run time, and its result is float again. Depthwise
    kernels stay float: they hold a fiftieth of the weights, and XNNPACK does not run them on
    rounded inputs, as the converter's own dynamic-range quantization does; that takes twice as
    long at width 1.0.
    """
    purpose = '`quantization="dynamic"`'
    quantizer = require("litert_quantizer.quantizer", purpose, "deploy")
    types = require("litert_quantizer.qtyping", purpose, "deploy")
    work = quantizer.Quantizer(content)
    weights = types.TensorQuantizationConfig(
        num_bits=8, symmetric=True, granularity=types.QuantGranularity.CHANNELWISE
    )
    config = types.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=types.ComputePrecision.INTEGER,
        explicit_dequantize=False,
        min_weight_elements=_FEWEST_WEIGHTS,
    )
    for operation in (types.TFLOperationName.CONV_2D, types.TFLOperationName.FULLY_CONNECTED):
        work.update_quantization_recipe(".*", operation, config)
    result = work.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _counted(operations: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    found = Counter(each["op_name"] for each in operations)
    return tuple(f"{count} × {name}" for name, count in sorted(found.items()))


def _inside(delegate: dict[str, Any], producer: dict[int, dict[str, Any]]) -> set[int]:
    """Return the operations between the inputs and the outputs of a delegate."""
    borders = {int(tensor) for tensor in delegate["inputs"]}
    ahead = [int(tensor) for tensor in delegate["outputs"]]
    found: set[int] = set()
    while ahead:
        operation = producer.get(ahead.pop())
        if operation is not None and operation["index"] not in found:
            found.add(operation["index"])
            ahead += [int(each) for each in operation["inputs"] if int(each) not in borders]
    return found
