import json

import pytest

import keras_osnet
from keras_osnet.runtime import ModelMetadata

FULL = ModelMetadata(
    name="osnet_x0_25",
    dim=2,
    image_size=(256, None),
    input_dtype="float32",
    batch=1,
    normalized_inside=False,
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 1),
    output_kind="attribute",
    l2_normalized=True,
    labels=("hat", "„Tasche“"),
    quantization="int8",
    licence="MIT",
    source="https://example.org/weights",
    library_version="7.8.9",
)


@pytest.mark.parametrize("description", [FULL, ModelMetadata(name="", dim=1, image_size=(1, 2))])
def test_there_and_back(description):
    assert ModelMetadata.from_json(description.to_json()) == description


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
        ("input_dtype", "int8"),
        ("batch", -1),
        ("normalized_inside", 1),
        ("mean", (0.5, 0.5)),
        ("mean", (124.0, 117.0, 104.0)),
        ("std", (0.0, 0.5, 0.5)),
        ("output_kind", "features"),
        ("l2_normalized", None),
        ("labels", ["a", "b"]),
        ("labels", ("a", "b", "c")),
        ("quantization", "int4"),
        ("licence", 3),
        ("source", 3),
        ("library_version", None),
    ],
)
def test_fields_are_checked(field, value):
    facts = {"name": "a", "dim": 2, "image_size": (256, 128), field: value}
    with pytest.raises(ValueError, match=rf"`{field}`.*Received: "):
        ModelMetadata(**facts)


def test_whole_pixels_cannot_be_normalized_by_the_caller():
    with pytest.raises(ValueError, match="`input_dtype`"):
        ModelMetadata(
            name="a", dim=2, image_size=(2, 2), input_dtype="uint8", normalized_inside=False
        )


def changed(change):
    facts = json.loads(FULL.to_json())
    change(facts)
    return json.dumps(facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts.pop("licence"), r"Missing: \['licence'\]"),
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
    text = changed(lambda facts: (facts.update(format=2), facts.pop("output")))
    with pytest.raises(ValueError, match=r"format 2.*reads up to 1.*of keras-osnet 7\.8\.9"):
        ModelMetadata.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_text_that_is_no_description(text):
    with pytest.raises(ValueError, match="Received: "):
        ModelMetadata.from_json(text)
