"""Int8 quantization that keeps the accuracy of the float model.

quantization          the entry point: a folded model and images to a flatbuffer, in one pass over
                      the images that rounds all weights
graph                 the operations in integers and in float; the model to round
channel_equalization  channels rescaled to equal ranges
rounding              weights to int8, and the grids of numbers that int8 can hold
flatbuffer            the ranges of tensors, and conversion of the file from float to int8
"""

from keras_osnet.deploy.int8.quantization import quantize_int8

__all__ = ["quantize_int8"]
