"""Triton's `config.pbtxt` is parsed by the messages of its client, and describes the file.

The server itself is no package of pip and is not run.
"""

from pathlib import Path

import numpy as np
import onnxruntime

SCRIPT = Path(__file__).parent / "scripts/parse_triton_configuration.py"


def test_configuration_describes_the_file(environment, exported, crops):
    client = environment(["tritonclient[grpc]"])
    folder = exported("triton") / "osnet_x0_25"
    configuration = client.run(SCRIPT, folder / "config.pbtxt")
    assert configuration["name"] == folder.name
    assert configuration["backend"] == "onnxruntime"
    session = onnxruntime.InferenceSession(folder / "1/model.onnx")
    (image,), (embedding,) = session.get_inputs(), session.get_outputs()
    (given,), (returned,) = configuration["input"], configuration["output"]
    assert (given["name"], returned["name"]) == (image.name, embedding.name)
    assert list(map(int, given["dims"])) == image.shape[1:]
    assert list(map(int, returned["dims"])) == embedding.shape[1:]
    assert (given["dataType"], image.type) == ("TYPE_UINT8", "tensor(uint8)")
    assert (returned["dataType"], embedding.type) == ("TYPE_FP32", "tensor(float)")
    # The server joins requests of up to this number of images.
    assert configuration["maxBatchSize"] == 64
    assert isinstance(image.shape[0], str)
    images = np.load(crops.folder / "crops.npy")
    joined = np.concatenate([images] * 4)
    (vectors,) = session.run([returned["name"]], {given["name"]: joined})
    assert crops.lowest_cosine(vectors[-16:]) > 0.9999
    print(f"tritonclient {client.version('tritonclient')}: {crops.lowest_cosine(vectors[-16:])}")
