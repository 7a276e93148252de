"""OpenVINO and its Model API run the file for the model zoo and DL Streamer."""

from pathlib import Path

import numpy as np
import openvino
import pytest

SCRIPT = Path(__file__).parent / "scripts/embed_with_model_api.py"


def test_model_api(environment, exported, crops):
    model_api = environment(["openvino-model-api", "openvino"])
    file = exported("openvino-zoo") / "osnet_x0_25.xml"
    images = crops.folder / "crops.npy", crops.folder / "large.npy"
    result = model_api.run(SCRIPT, file, *images)
    # As person-reidentification-retail-0287, but for the embedding's length.
    assert result["input"] == ["NCHW", 1, 3, 256, 128]
    assert result["output"] == ["reid_embedding", 1, 512]
    cosines = crops.lowest_cosine(result["crops"]), crops.lowest_cosine(result["large"], large=True)
    version = model_api.version("openvino-model-api"), model_api.version("openvino")
    print(f"openvino-model-api, openvino {version}: {cosines}")
    assert cosines[0] > 0.9999
    assert 0.9 < cosines[1] < 0.9999  # bilinear without antialiasing


@pytest.mark.parametrize("batch", [1, 4])
def test_batch_of_dl_streamer(batch, exported, crops):
    """DL Streamer gives the file its batch."""
    core = openvino.Core()
    network = core.read_model(exported("openvino-zoo") / "osnet_x0_25.xml")
    network.reshape([batch, 3, 256, 128])
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    bgr = np.load(crops.folder / "crops.npy")[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    vectors = [compiled(part)["reid_embedding"] for part in np.split(bgr, 16 // batch)]
    assert crops.lowest_cosine(np.concatenate(vectors)) > 0.9999
