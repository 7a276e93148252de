"""BoxMOT's loader takes exported files and converted checkpoints."""

from pathlib import Path

import pytest
from environments import TORCH

from keras_osnet import OSNet
from keras_osnet.deploy import export
from keras_osnet.weights import to_torchreid, write_torch_checkpoint

SCRIPT = Path(__file__).parent / "scripts/embed_with_boxmot.py"


@pytest.fixture(scope="module")
def embed(environment, crops):
    # BoxMOT would install its engines itself, on first use.
    engines = ["onnxruntime==1.24.3", "openvino", "ai-edge-litert"]
    boxmot = environment([TORCH, "torchvision"], ["boxmot", *engines])

    def run(file, crops=crops, **variables):
        images = crops.folder / "crops.npy", crops.folder / "large.npy"
        result = boxmot.run(SCRIPT, file, *images, **variables)
        cosines = [crops.lowest_cosine(result[name]) for name in ("crops", "boxes")]
        resized = crops.lowest_cosine(result["large"], large=True)
        print(f"BoxMOT {boxmot.version('boxmot')}, {file.name}: {cosines}, resized {resized}")
        return result, min(cosines), resized

    return run


@pytest.mark.parametrize(
    "file",
    ["osnet_x0_25.onnx", "people.onnx", "people.tflite", "people_openvino_model/people.xml"],
)
def test_exported_file(file, exported, embed):
    path = exported("boxmot", file) / file
    result, cosine, resized = embed(path.parent if path.suffix == ".xml" else path)
    assert cosine > 0.9999
    assert 0.9 < resized < 0.9999  # OpenCV's bilinear is without antialiasing
    assert result["size"] == [256, 128]
    if path.suffix != ".xml":
        assert result["architecture"] == "osnet_x0_25"


def test_its_opencv_engine(exported, embed):
    file = exported("boxmot", "osnet_x0_25.onnx") / "osnet_x0_25.onnx"
    assert embed(file, BOXMOT_REID_BACKEND="opencv")[1] > 0.9999


def test_torch_checkpoint(model, embed, tmp_path):
    write_torch_checkpoint(tmp_path / "osnet_x0_25_people.pt", to_torchreid(model))
    assert embed(tmp_path / "osnet_x0_25_people.pt")[1] > 0.9999


def test_files_of_another_size(embed, small_crops, tmp_path):
    """The file beside each file tells BoxMOT its size."""
    model = OSNet(0.25, weights="synthetic", head="embedding")
    for suffix in (".onnx", ".tflite", ".xml"):
        export(model, tmp_path / f"people{suffix}", target="boxmot")
        result, cosine, _ = embed(tmp_path / f"people{suffix}", small_crops)
        assert result["size"] == [128, 64]
        assert cosine > 0.9999


def test_file_for_other_software_is_wrong_without_an_error(exported, embed):
    assert embed(exported("ultralytics") / "osnet_x0_25.onnx")[1] < 0.9
