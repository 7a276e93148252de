"""The trackers of Ultralytics take exported files."""

from pathlib import Path

import pytest
from environments import TORCH

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(scope="module")
def ultralytics(environment):
    return environment([TORCH, "torchvision"], ["ultralytics", "onnxruntime", "onnx", "lap"])


@pytest.fixture(scope="module")
def run(ultralytics, tmp_path_factory):
    """Return a function that runs a script without downloads and with settings of its own."""
    settings = str(tmp_path_factory.mktemp("ultralytics"))
    variables = {"YOLO_CONFIG_DIR": settings, "YOLO_AUTOINSTALL": "False", "YOLO_OFFLINE": "True"}
    return lambda *arguments: ultralytics.run(*arguments, **variables)


def test_encoder(run, ultralytics, exported, crops):
    file = exported("ultralytics") / "osnet_x0_25.onnx"
    images = crops.folder / "crops.npy", crops.folder / "large.npy"
    result = run(SCRIPTS / "embed_with_ultralytics.py", file, *images)
    assert result["size"] == [256, 128]
    cosines = {name: crops.lowest_cosine(result[name]) for name in ("crops", "boxes")}
    cosines["large"] = crops.lowest_cosine(result["large"], large=True)
    print(f"Ultralytics {ultralytics.version('ultralytics')}: {cosines}")
    assert cosines["crops"] > 0.9999
    assert 0.9 < cosines["large"] < 0.9999  # bilinear without antialiasing
    assert 0.8 < cosines["boxes"] < 0.9999  # 10 pixels and 2 % more than the box


@pytest.mark.parametrize("tracker", ["botsort", "deepocsort", "tracktrack"])
def test_trackers(tracker, run, exported, crops):
    file = exported("ultralytics") / "osnet_x0_25.onnx"
    result = run(SCRIPTS / "track_with_ultralytics.py", tracker, file, crops.folder / "crops.npy")
    assert result == {"tracks": 4, "embeddings": [[512]] * 4}


def test_file_for_other_software_is_wrong_without_an_error(run, exported, crops):
    file = exported("boxmot", "osnet_x0_25.onnx") / "osnet_x0_25.onnx"
    images = crops.folder / "crops.npy", crops.folder / "large.npy"
    result = run(SCRIPTS / "embed_with_ultralytics.py", file, *images)
    cosine = crops.lowest_cosine(result["crops"])
    print(f"Ultralytics, file for BoxMOT: {cosine}")
    assert cosine < 0.9
