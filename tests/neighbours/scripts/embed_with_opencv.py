"""Embed crops with OpenCV: FILE CROPS, RGB; with `blob`, blobs are made of them in BGR."""

import json
import sys

import cv2
import numpy as np

file, crops, make_blob = sys.argv[1], np.load(sys.argv[2]), sys.argv[3:] == ["blob"]
bgr = crops[..., ::-1]
size = crops.shape[2], crops.shape[1]
blob = cv2.dnn.blobFromImages(list(bgr), size=size) if make_blob else crops
net = cv2.dnn.readNet(file)
shapes, vectors = [], []
first = 0
# A tracker has another number of boxes in each frame.
for count in (1, 5, 1, 9):
    net.setInput(blob[first : first + count])
    result = net.forward()
    shapes.append(result.shape)
    vectors += result.reshape(count, -1).tolist()
    first += count
print(json.dumps({"shapes": shapes, "vectors": vectors}))
