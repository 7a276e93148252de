"""Embed images with keras-osnet's Embedder: FILE IMAGES.npy. Run by the Python for Arm."""

import json
import platform
import sys

import numpy as np

from keras_osnet.runtime import Embedder

embedder = Embedder(sys.argv[1], threads=1)
vectors = embedder.embed(list(np.load(sys.argv[2])))
print(json.dumps({"machine": platform.machine(), "vectors": vectors.tolist()}))
