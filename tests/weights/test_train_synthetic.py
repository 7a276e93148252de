"""`weights/train_synthetic.py`, on few small images, for an epoch."""

import importlib.util
import re
import shutil
from pathlib import Path

import keras
import pytest

from keras_osnet.models import load_model
from keras_osnet.models.load_model import open_checkpoint

SCRIPT = Path(__file__).parents[2] / "weights" / "train_synthetic.py"


@pytest.fixture
def script(monkeypatch, tmp_path):
    """Import a copy of the script, which writes next to itself."""
    copy = shutil.copy(SCRIPT, tmp_path)
    for recipe in SCRIPT.parent.glob("*.toml"):
        text = re.sub(r"epochs = \d+", "epochs = 1", recipe.read_text("utf-8"))
        text = text.replace("batch_size = 64", "batch_size = 8")
        (tmp_path / recipe.name).write_text(text.replace("[128, 64]", "[32, 16]"), "utf-8")
    spec = importlib.util.spec_from_file_location("train_synthetic", copy)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    few = {"WORLDS": range(20, 22), "PEOPLE": range(2), "LOOK_ALIKES": range(3, 6)}
    few |= {"FIRST_PEOPLE": range(4), "FIRST_LOOK_ALIKES": range(6, 9), "FIRST_EPOCHS": 1}
    few |= {"UNSEEN": range(90, 92), "UNSEEN_LOOK_ALIKES": range(93, 96), "CAMERAS": 2}
    for name, value in (few | {"DRESSED": range(10, 20), "SIZE": (32, 16)}).items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.mark.large
def test_both_networks_are_trained_and_written(script, tmp_path, capsys):
    work = tmp_path / "work"
    work.mkdir()
    script.train_embedding(work, real=work / "embedding_people_20")
    script.train_attributes(work)
    embedder = load_model(tmp_path / "osnet_x0_25_synthetic" / "model.safetensors")
    assert embedder.input_shape[1:] == (32, 16, 3)
    card = (tmp_path / "osnet_x0_25_synthetic" / "README.md").read_text("utf-8")
    for name in ("synthetic-other-cameras", "synthetic-look-alikes", "pku-reid-40"):
        assert f"type: {name}" in card
    assert open_checkpoint(work / "embedding" / "last.keras").classes == 2 * (2 + 3)
    assert open_checkpoint(work / "attributes_first.safetensors").classes == 4 + 3
    attributes = load_model(tmp_path / "osnet_x0_25_synthetic_attributes" / "model.safetensors")
    assert isinstance(attributes, keras.Model)
    assert attributes.output_shape == (None, 26)
    assert "synthetic-other-cameras {'rank_1'" in capsys.readouterr().out
