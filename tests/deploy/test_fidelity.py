"""The figures of a fidelity report say what they are said to."""

import json
import math

import keras
import numpy as np
import pytest

from keras_osnet.data import PersonImage, ReidDataset
from keras_osnet.deploy import FidelityError, measure_fidelity
from keras_osnet.deploy.fidelity import FidelityReport, check_drop
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.runtime.read_metadata import ModelFile
from keras_osnet.synthetic import write_synthetic_people

FIDELITY = "keras_osnet.deploy.fidelity"
SIZE = (32, 16)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, *SIZE, 3), "uint8")


class PlayedEngine:
    """An engine whose results are given: the Keras model's, changed by a function."""

    name = "played"

    def __init__(self, model, change):
        self.model, self.change = model, change

    def run(self, images):
        result = keras.ops.convert_to_numpy(self.model(images.astype("float32")))
        return self.change(result).astype("float32")


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """What is measured of a file whose results are those of a model, changed."""

    def measure(model, change, metadata=None, images=IMAGES):
        metadata = metadata or ModelMetadata(name="m", image_size=SIZE, dim=4)
        opened = ModelFile(tmp_path / "m.onnx", b"123", None, metadata)
        monkeypatch.setattr(f"{FIDELITY}.read_model_file", lambda path: opened)
        monkeypatch.setattr(
            f"{FIDELITY}.open_engine", lambda *args, **kwargs: PlayedEngine(model, change)
        )
        (tmp_path / "m.onnx").write_bytes(b"123")
        return measure_fidelity(model, tmp_path / "m.onnx", images, threads=1)

    return measure


def means(activation=None):
    """Four numbers of an image's colors; it has its preprocessing inside."""
    image = keras.Input((*SIZE, 3))
    maps = keras.layers.Rescaling(1 / 255, name="preprocessing")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    keras.utils.set_random_seed(0)
    return keras.Model(image, keras.layers.Dense(4, activation=activation)(pooled), name="m")


def test_figures_of_vectors(measured):
    model = means()
    expected = keras.ops.convert_to_numpy(model(IMAGES.astype("float32")))
    same = measured(model, lambda result: result)
    assert (same.cosine_min, same.max_relative_difference) == (1, 0)
    assert (same.images, same.size_bytes, same.engine, same.threads) == (40, 3, "played", 1)
    assert same.latency_ms > 0
    assert (same.agreement, same.rank_1, same.off_gpu, same.off_xnnpack) == (None,) * 4
    assert same.losses == {"minimum cosine": 0}

    noise = RNG.normal(0, 0.05, expected.shape).astype("float32")

    def noisy(result):
        return result + noise[: len(result)]

    # The engine sees chunks of 32 and then 8, each with the first rows of the noise.
    own = expected + np.concatenate([noise[:32], noise[:8]])
    cosine = [
        float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        for a, b in zip(expected, own, strict=True)
    ]
    report = measured(model, noisy)
    assert report.cosine_min == pytest.approx(min(cosine), abs=1e-6)
    assert report.cosine_median == pytest.approx(float(np.median(cosine)), abs=1e-6)
    assert report.max_relative_difference == pytest.approx(
        np.abs(own - expected).max() / np.abs(expected).max(), rel=1e-5
    )
    assert report.losses["minimum cosine"] == pytest.approx(100 * (1 - min(cosine)), abs=1e-4)


def test_a_file_that_scales_is_compared_with_a_scaled_model(measured):
    metadata = ModelMetadata(name="m", image_size=SIZE, dim=4, l2_normalized=True)

    def scaled(result):
        return result / np.linalg.norm(result, axis=1, keepdims=True)

    assert measured(means(), scaled, metadata).max_relative_difference < 1e-6


def test_predictions(measured):
    model = means("softmax")
    metadata = ModelMetadata(name="m", image_size=SIZE, dim=4, output_kind="classification")
    expected = keras.ops.convert_to_numpy(model(IMAGES.astype("float32"))).argmax(axis=1)
    report = measured(model, lambda result: result[:, ::-1], metadata)
    assert report.agreement == np.mean(expected == 3 - expected)
    assert report.losses == {"agreement": 100 * (1 - report.agreement)}
    attributes = ModelMetadata(name="m", image_size=SIZE, dim=4, output_kind="attribute")
    scores = means("sigmoid")
    assert measured(scores, lambda result: result, attributes).agreement == 1
    flipped = measured(scores, lambda result: 1 - result, attributes)
    assert flipped.agreement == 0
    assert flipped.max_score_difference > 0


@pytest.mark.filterwarnings("ignore:1 of 17 images of drawn cannot be read")
def test_people_are_found_again(measured, tmp_path):
    people = write_synthetic_people(tmp_path, 4, views=2, image_size=SIZE)
    sides = [tuple(one for one in people if one.camera == camera) for camera in (1, 2)]
    dataset = ReidDataset("drawn", (), *sides)
    model = means()
    same = measured(model, lambda result: result, images=dataset)
    assert same.images == len(people)
    assert same.rank_1 == same.rank_1_model
    assert same.losses == {"rank-1": 0, "mAP": 0}
    lost = measured(model, lambda result: np.abs(RNG.normal(size=result.shape)), images=dataset)
    assert lost.mean_average_precision != lost.mean_average_precision_model
    assert lost.losses["mAP"] == pytest.approx(
        100 * (lost.mean_average_precision_model - lost.mean_average_precision)
    )
    (tmp_path / "broken.png").write_bytes(b"no image")
    broken = PersonImage(tmp_path / "broken.png", 1, 1)
    more = ReidDataset("drawn", (), (*sides[0], broken), sides[1])
    assert measured(model, lambda result: result, images=more).images == len(people)
    unknown = [PersonImage(one.path, one.identity, None) for one in sides[0]]
    without = ReidDataset("drawn", (), tuple(unknown), sides[1])
    assert measured(model, lambda result: result, images=without).rank_1 is not None
    with pytest.raises(ValueError, match="must have a query and a gallery"):
        measured(model, lambda result: result, images=ReidDataset("none", ()))


def report(**figures):
    return FidelityReport(
        **{
            "file": "m.tflite",
            "digest": None,
            "quantization": "int8",
            "size_bytes": 12345,
            "engine": "litert",
            "threads": 2,
            "latency_ms": 1.5,
            "images": 10,
            "synthetic": False,
            "max_relative_difference": 0.01,
            "cosine_median": 0.999,
            "cosine_min": 0.99,
            **figures,
        }
    )


def test_what_may_be_lost():
    check_drop(report(), 1.01)
    check_drop(report(), None)
    with pytest.raises(
        FidelityError, match=r"minimum cosine 1\.000 percentage points.*max_drop=0\.5"
    ) as error:
        check_drop(report(), 0.5)
    assert error.value.report.cosine_min == 0.99
    people = {"mean_average_precision": 0.6, "mean_average_precision_model": 0.61}
    gained = report(rank_1=0.8, rank_1_model=0.7, **people)
    check_drop(gained, 1.01)
    with pytest.raises(FidelityError, match=r"rank-1 -10\.000, mAP 1\.000"):
        check_drop(gained, 0.99)
    with pytest.raises(FidelityError):
        check_drop(report(cosine_min=math.nan), 100)


def test_the_table_and_the_file(tmp_path):
    rows = dict(report(off_gpu=(), off_xnnpack=("1 × CAST",)).table())
    assert rows["file"] == "m.tflite, 12,345 bytes"
    assert rows["cosine"] == "median 0.999000, minimum 0.990000"
    assert rows["off the GPU delegate"] == "nothing"
    assert rows["off XNNPACK"] == "1 × CAST"
    assert "rank-1" not in rows
    people = {"mean_average_precision": 0.6, "mean_average_precision_model": 0.61}
    rows = dict(report(rank_1=0.8, rank_1_model=0.7, synthetic=True, **people).table())
    assert rows["rank-1"] == "80.00 % (Keras model 70.00 %, +10.00)"
    assert "synthetic people" in rows["images"]
    report().save(tmp_path / "m.json")
    saved = json.loads((tmp_path / "m.json").read_text("utf-8"))
    assert (saved["size_bytes"], saved["rank_1"]) == (12345, None)


def test_a_file_of_someone_elses(tmp_path):
    (tmp_path / "m.xml").write_text("<net name='other' version='11'></net>")
    (tmp_path / "m.bin").touch()
    with pytest.raises(ValueError, match="a file that keras-osnet wrote"):
        measure_fidelity(means(), tmp_path / "m.xml")


@pytest.mark.parametrize(
    ("figures", "ready"),
    [
        ({}, True),
        ({"cosine_min": 0.5}, True),
        ({"cosine_median": 0.97}, False),
        ({"cosine_median": math.nan}, False),
        ({"agreement": 0.99, "max_score_difference": 0.1}, True),
        ({"agreement": 0.97, "max_score_difference": 0.1}, False),
        ({"rank_1": 0.703, "rank_1_model": 0.87}, False),
        ({"rank_1": 0.86, "rank_1_model": 0.87, "cosine_median": 0.9}, True),
        ({"rank_1": 0.86, "rank_1_model": 0.87, "mean_average_precision_model": 0.1}, False),
    ],
)
def test_a_file_that_loses_much_is_not_ready(figures, ready):
    measured = report(**figures)
    assert measured.is_ready == measured.to_dict()["ready"] == ready
    assert measured.to_dict()["advice"] == measured.advice
    row = dict(measured.table())["ready"]
    assert row == "yes" if ready else row.startswith("Not ready to use")
    if figures == {"rank_1": 0.703, "rank_1_model": 0.87}:
        assert "(rank-1 16.7, mAP 0.0). Use float16" in measured.advice
