import json

import numpy as np
import pytest

import keras_osnet
from keras_osnet.runtime.metadata import ModelMetadata

FULL = ModelMetadata(
    name="osnet_x0_25",
    dim=2,
    image_size=(256, None),
    pixel_range="normalized",
    dtype="float32",
    layout="NCHW",
    channels="BGR",
    batch=1,
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 1),
    output_kind="attribute",
    l2_normalized=True,
    labels=("hat", "„Tasche“"),
    quantization="int8",
    license="MIT",
    source="https://example.org/weights",
    library_version="7.8.9",
)


@pytest.mark.parametrize("metadata", [FULL, ModelMetadata(name="", dim=1, image_size=(1, 2))])
def test_there_and_back(metadata):
    assert ModelMetadata.from_json(metadata.to_json()) == metadata


def test_the_version_of_the_library_is_filled_in():
    written = ModelMetadata(name="a", dim=1, image_size=(1, 2))
    assert written.library_version == keras_osnet.__version__


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 3),
        ("dim", 0),
        ("dim", True),
        ("image_size", (256,)),
        ("image_size", [256, 128]),
        ("image_size", (0, 128)),
        ("dtype", "int8"),
        ("layout", "NWHC"),
        ("channels", "RBG"),
        ("batch", -1),
        ("pixel_range", "pixels"),
        ("mean", (0.5, 0.5)),
        ("mean", (124.0, 117.0, 104.0)),
        ("std", (0.0, 0.5, 0.5)),
        ("output_kind", "features"),
        ("l2_normalized", None),
        ("labels", ["a", "b"]),
        ("labels", ("a", "b", "c")),
        ("quantization", "int4"),
        ("license", 3),
        ("source", 3),
        ("library_version", None),
    ],
)
def test_fields_are_checked(field, value):
    facts = {"name": "a", "dim": 2, "image_size": (256, 128), field: value}
    with pytest.raises(ValueError, match=rf"`{field}`.*Received: "):
        ModelMetadata(**facts)


def test_whole_pixels_cannot_be_normalized_by_the_caller():
    with pytest.raises(ValueError, match="`dtype`"):
        ModelMetadata(name="a", dim=2, image_size=(2, 2), dtype="uint8", pixel_range="normalized")


def changed(change):
    facts = json.loads(FULL.to_json())
    change(facts)
    return json.dumps(facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts.pop("license"), r"Missing: \['license'\]"),
        (lambda facts: facts.pop("format"), "`format`.*Received: None"),
        (lambda facts: facts.update(colour="red"), r"Unknown: \['colour'\]"),
        (lambda facts: facts["input"].pop("mean"), r"`input`.*Missing: \['mean'\]"),
        (lambda facts: facts["output"].update(x=1), r"`output`.*Unknown: \['x'\]"),
        (lambda facts: facts.update(output=[]), "`output`.*must be a JSON object"),
        (lambda facts: facts["input"].update(mean="0.5"), "`mean`.*Received: '0.5'"),
        (lambda facts: facts["output"].update(dim="512"), "`dim`.*Received: '512'"),
        (lambda facts: facts.update(format="1"), "`format`.*Received: '1'"),
    ],
)
def test_json_that_is_wrong_says_where(change, message):
    with pytest.raises(ValueError, match=message):
        ModelMetadata.from_json(changed(change))


def test_a_newer_format_says_so_whatever_else_it_holds():
    text = changed(lambda facts: (facts.update(format=5), facts.pop("output")))
    with pytest.raises(ValueError, match=r"format 5.*reads format 4.*newer.*keras-osnet 7\.8\.9"):
        ModelMetadata.from_json(text)


def test_an_older_format_says_what_to_do():
    text = changed(lambda facts: (facts.update(format=2), facts.pop("input")))
    with pytest.raises(ValueError, match=r"format 2.*export the model again.*keras-osnet 7\.8\.9"):
        ModelMetadata.from_json(text)


@pytest.mark.parametrize("pixel_range", ["0-255", "0-1", "normalized"])
def test_pixels_are_scaled_to_the_range(pixel_range):
    pixels = np.arange(256, dtype="uint8").repeat(3).reshape(1, 16, 16, 3)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 1.0)
    metadata = ModelMetadata(
        name="a", dim=2, image_size=(16, 16), pixel_range=pixel_range, mean=mean, std=std
    )
    expected = {
        "0-255": pixels,
        "0-1": pixels / 255,
        "normalized": (pixels / 255 - np.array(mean)) / np.array(std),
    }[pixel_range]
    scaled = metadata.to_input(pixels)
    assert scaled.dtype == ("uint8" if pixel_range == "0-255" else "float32")
    np.testing.assert_allclose(scaled, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("pixel_range", ["0-255", "0-1", "normalized"])
def test_pixels_are_arranged_as_the_file_takes_them(pixel_range):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 3, 3), "uint8")
    own = {"name": "a", "dim": 2, "image_size": (4, 3), "pixel_range": pixel_range}
    plain = ModelMetadata(**own).to_input(pixels)
    turned = ModelMetadata(**own, layout="NCHW", channels="BGR").to_input(pixels)
    assert turned.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(turned[:, 0], plain[..., 2])
    np.testing.assert_array_equal(turned[:, 2], plain[..., 0])


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_text_that_is_no_metadata(text):
    with pytest.raises(ValueError, match="Received: "):
        ModelMetadata.from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(format="x" * 10**5),
        lambda facts: facts.update(dict.fromkeys(map(str, range(10**4)), 1)),
        lambda facts: facts.update(name=["x" * 10**5]),
        lambda facts: facts.update(input="x" * 10**5),
        lambda facts: facts.update(format=1, library_version="x" * 10**5),
    ],
)
def test_messages_stay_short(change):
    with pytest.raises(ValueError, match="Received: ") as error:
        ModelMetadata.from_json(changed(change))
    assert len(str(error.value)) < 600
