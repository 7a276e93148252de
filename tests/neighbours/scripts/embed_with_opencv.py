"""Embed crops with OpenCV: FILE CROPS."""

import json
import sys

import cv2
import numpy as np

file, crops = sys.argv[1], np.load(sys.argv[2])
net = cv2.dnn.readNet(file)
net.setInput(crops[:1])
one = net.forward().shape
net.setInput(crops)
vectors = net.forward()
print(
    json.dumps(
        {"one": one, "many": vectors.shape, "vectors": vectors.reshape(len(crops), -1).tolist()}
    )
)
