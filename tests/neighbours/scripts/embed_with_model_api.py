"""Embed people with OpenVINO's Model API: FILE CROPS LARGE, RGB.

Print what it reads of the file, and the embeddings of both, which it is given in BGR, as of OpenCV.
"""

import json
import sys

import numpy as np
from model_api.adapters import OpenvinoAdapter, create_core
from model_api.models import ImageModel

file, crops, large = sys.argv[1], np.load(sys.argv[2]), np.load(sys.argv[3])
precision = {"INFERENCE_PRECISION_HINT": "f32"}
adapter = OpenvinoAdapter(create_core(), file, device="CPU", plugin_config=precision)
model = ImageModel(adapter, {}, preload=True)
(given,), (returned,) = model.inputs.values(), model.outputs.values()


def embed(images: np.ndarray) -> list[list[float]]:
    """Return the embeddings of images, one at a time as the model zoo's files take them."""
    results = []
    for image in images:
        inputs, _ = model.base_preprocess(np.ascontiguousarray(image[..., ::-1]))
        results.append(model.infer_sync(inputs)["reid_embedding"][0].tolist())
    return results


print(
    json.dumps(
        {
            "input": [given.layout, *given.shape],
            "output": [*returned.names, *returned.shape],
            "crops": embed(crops),
            "large": embed(large),
        }
    )
)
