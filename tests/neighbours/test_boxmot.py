"""BoxMOT's loader takes exported files and converted checkpoints."""

from pathlib import Path

import pytest
from environments import TORCH

from keras_osnet.weights import to_torchreid, write_torch_checkpoint

SCRIPT = Path(__file__).parent / "scripts/embed_with_boxmot.py"


@pytest.fixture(scope="module")
def embed(environment, crops):
    # BoxMOT would install its engines itself, on first use.
    engines = ["onnxruntime==1.24.3", "openvino", "ai-edge-litert"]
    boxmot = environment([TORCH, "torchvision"], ["boxmot", *engines])
    images = crops.folder / "crops.npy", crops.folder / "large.npy"

    def run(file, **variables):
        result = boxmot.run(SCRIPT, file, *images, **variables)
        cosines = [crops.lowest_cosine(result[name]) for name in ("crops", "boxes")]
        resized = crops.lowest_cosine(result["large"], large=True)
        print(f"BoxMOT {boxmot.version('boxmot')}, {file.name}: {cosines}, resized {resized}")
        assert 0.9 < resized < 0.9999  # OpenCV's bilinear is without antialiasing
        return result, min(cosines)

    return run


@pytest.mark.parametrize(
    "file",
    ["osnet_x0_25.onnx", "people.onnx", "people.tflite", "people_openvino_model/people.xml"],
)
def test_exported_file(file, exported, embed):
    path = exported("boxmot", file) / file
    result, cosine = embed(path.parent if path.suffix == ".xml" else path)
    assert cosine > 0.9999
    assert result["size"] == [256, 128]
    if path.suffix != ".xml":
        assert result["architecture"] == "osnet_x0_25"


def test_its_opencv_engine(exported, embed):
    file = exported("boxmot", "osnet_x0_25.onnx") / "osnet_x0_25.onnx"
    assert embed(file, BOXMOT_REID_BACKEND="opencv")[1] > 0.9999


def test_torch_checkpoint(model, embed, tmp_path):
    write_torch_checkpoint(tmp_path / "osnet_x0_25_people.pt", to_torchreid(model))
    assert embed(tmp_path / "osnet_x0_25_people.pt")[1] > 0.9999
