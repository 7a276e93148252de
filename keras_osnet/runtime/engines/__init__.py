"""The engines that run exported models on the CPU and other devices."""

from keras_osnet.runtime.engines.engine import Engine, Shape
from keras_osnet.runtime.engines.open_engine import ENGINES, engines_for, open_engine, usable_cpus
from keras_osnet.runtime.engines.openvino import computes_bfloat16

__all__ = [
    "ENGINES",
    "Engine",
    "Shape",
    "computes_bfloat16",
    "engines_for",
    "open_engine",
    "usable_cpus",
]
