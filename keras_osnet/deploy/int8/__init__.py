"""Int8 quantization that keeps the accuracy of the float model.

quantization          a folded model and images to a model with rounded weights, in one pass over
                      the images
graph                 the operations in integers and in float; the model to round
channel_equalization  channels rescaled to equal ranges
rounding              weights to int8, and the grids of numbers that int8 can hold
tflite_file           the `.tflite` file
flatbuffer            the ranges of its tensors, and its conversion from float to int8
onnx_file             the ONNX file, from which OpenVINO's is made
"""

from keras_osnet.deploy.int8.onnx_file import quantized_onnx
from keras_osnet.deploy.int8.quantization import round_weights
from keras_osnet.deploy.int8.tflite_file import quantize_int8

__all__ = ["quantize_int8", "quantized_onnx", "round_weights"]
