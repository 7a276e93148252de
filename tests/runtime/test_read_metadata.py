import zipfile

import pytest

from keras_osnet.runtime import read_metadata
from keras_osnet.runtime.metadata import ModelMetadata

KINDS = ["any.tflite", "any.onnx", "any.xml"]


@pytest.mark.parametrize("name", KINDS)
def test_files_of_every_kind(described, name):
    path = described(name, license='«MIT» & "more"\n</net>', labels=tuple("abcdefgh"))
    assert read_metadata(path) == ModelMetadata(
        name="tiny",
        dim=8,
        image_size=(32, 16),
        license='«MIT» & "more"\n</net>',
        labels=tuple("abcdefgh"),
    )


@pytest.mark.parametrize("name", KINDS)
def test_stock_files_have_none(stock, name):
    assert read_metadata(stock[name]) is None


def test_no_engine_is_needed(described, fresh_python):
    code = (
        "from keras_osnet.runtime import read_metadata\n"
        "print([read_metadata(path).dim for path in sys.argv[1:]])"
    )
    blocked = ["tensorflow", "keras", "ai_edge_litert", "onnxruntime", "onnx", "openvino", "PIL"]
    assert fresh_python(code, *map(described, KINDS), blocked=blocked) == "[8, 8, 8]"


def test_a_zip_with_other_files(stock, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(stock["any.tflite"].read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "a\nb")
    assert read_metadata(path) is None


def test_metadata_that_unpacks_to_a_flood(tmp_path):
    path = tmp_path / "model.tflite"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keras_osnet.json", b" " * (17 * 1024 * 1024))
    with pytest.raises(ValueError, match=r"damaged: its metadata is more than 16777216 bytes"):
        read_metadata(path)


def test_a_zip_with_a_wrong_byte(described):
    path = described("any.tflite")
    content = path.read_bytes()
    place = content.rindex(b'"format"')
    path.write_bytes(content[:place] + b"#" + content[place + 1 :])
    with pytest.raises(ValueError, match=r"damaged.*any\.tflite"):
        read_metadata(path)


def test_wrong_metadata_names_the_file(tmp_path):
    path = tmp_path / "model.xml"
    path.write_text("<net><rt_info><keras_osnet value='{}' /></rt_info></net>")
    with pytest.raises(ValueError, match=r"model\.xml: .*`format`"):
        read_metadata(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["any.onnx", "any.xml"])
def test_truncated_files(described, name, share):
    path = described(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=f"damaged.*{name}"):
        read_metadata(path)


def test_files_of_another_kind(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x0f\x0f\x0f not a protobuf")
    (tmp_path / "model.xml").write_text("<html></html>")
    with pytest.raises(ValueError, match=r"damaged.*not a protobuf.*model\.onnx"):
        read_metadata(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=r"not OpenVINO.*model\.xml"):
        read_metadata(tmp_path / "model.xml")
    with pytest.raises(ValueError, match=r"ends in \.tflite.*model\.pt"):
        read_metadata(tmp_path / "model.pt")
    with pytest.raises(FileNotFoundError, match=r"gone\.tflite"):
        read_metadata(tmp_path / "gone.tflite")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder\.tflite"):
        read_metadata(tmp_path / "folder.tflite")
