"""The benchmark for a GPU, tried with tiny sizes on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fused_streams import copy_weights, fused_osnet
from keras import ops

from keras_osnet import OSNet

SCRIPT = Path(__file__).parent / "benchmarks" / "accelerator.py"
NETWORK = {"width": 0.25, "head": "embedding", "depths": (1, 1, 1), "input_shape": (32, 32, 3)}


@pytest.mark.large
@pytest.mark.parametrize("training", [False, True])
def test_fused_streams_are_those_of_the_network(training):
    separate, fused = OSNet(**NETWORK), fused_osnet(**NETWORK)
    rng = np.random.default_rng(0)
    for variable in separate.variables:
        values = rng.uniform(0.5, 1.5, variable.shape)
        if len(variable.shape) > 1:
            values = rng.standard_normal(variable.shape) * (1 / np.prod(variable.shape[:-1])) ** 0.5
        variable.assign(values)
    copy_weights(separate, fused)
    images = rng.standard_normal((4, 32, 32, 3)).astype("float32")
    expected, found = (
        ops.convert_to_numpy(model(images, training=training)) for model in (separate, fused)
    )
    assert np.isfinite(expected).all()
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


@pytest.mark.extra_large
def test_all_parts_run(tmp_path):
    path = tmp_path / "tiny.json"
    options = ["--tiny", "--widths", "0.25", "--precisions", "float32", "--seconds", "900"]
    subprocess.run([sys.executable, SCRIPT, *options, "--json", path], check=True, timeout=1000)
    found = json.loads(path.read_text())
    records = found["records"]
    assert found["header"]["device"] == "cpu"
    assert [each for each in records if "error" in each] == []
    parity = [each for each in records if each["part"] == "parity"]
    assert {each["contender"] for each in parity} == {"torch", "JAX"}
    assert all(each["embeddings"] < 1e-5 and each["cosine"] > 0.99999 for each in parity)
    speeds = {
        (each["contender"], each["form"], each["work"])
        for each in records
        if each["part"] == "speed" and "ms" in each
    }
    for contender, form in (("torch", "eager"), ("JAX", "jit")):
        assert {work for *who, work in speeds if who == [contender, form]} == {
            "infer",
            "predict",
            "train",
        }
        assert {work for *who, work in speeds if who == [contender, "fused"]} == {"infer", "train"}
    largest = {each["contender"] for each in records if "images_per_s" in each}
    assert largest == {"torch", "JAX"}
    assert any("test_error" in each for each in records)
