"""docs/deploy_on_mobile.md and the Kotlin and Swift examples match an exported file."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import keras_osnet
from keras_osnet.cli.export import export as command
from keras_osnet.runtime.metadata import TFLITE_LABELS, TFLITE_METADATA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy_on_mobile.md").read_text("utf-8")
FILE, SIGNATURE = "osnet_x0_25.tflite", "serving_default"


def snippets(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def code(language, pattern):
    """The complete files of a language, followed by the snippets of the page."""
    files = [path.read_text("utf-8") for path in sorted((ROOT / "examples").glob(pattern))]
    assert files
    return "\n".join([*files, *snippets(language)])


KOTLIN, SWIFT = code("kotlin", "android/*.kt"), code("swift", "ios/*.swift")
PODFILE = "\n".join(snippets("ruby"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder in which the Python blocks of the page ran, with a shallow network."""
    folder = tmp_path_factory.mktemp("phone")
    build = keras_osnet.OSNet

    def shallow(**arguments):
        return build(**{**arguments, "weights": None}, depths=(1, 1, 1), streams=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(keras_osnet, "OSNet", shallow)
        for block in snippets("python"):
            exec(compile(block, "<deploy_on_mobile.md>", "exec"), {"__name__": "__main__"})
    return folder


@pytest.fixture(scope="module")
def interpreter(exported):
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_path=str(exported / FILE))
    opened.allocate_tensors()
    return opened


@pytest.fixture(scope="module")
def ends(interpreter):
    """The details of the only input and the only output, by name in the signature."""
    signatures = interpreter.get_signature_list()
    assert list(signatures) == [SIGNATURE]
    (image,), (embedding,) = signatures[SIGNATURE]["inputs"], signatures[SIGNATURE]["outputs"]
    return {
        image: interpreter.get_input_details()[0],
        embedding: interpreter.get_output_details()[0],
    }


def test_table_of_the_signature(ends):
    for name, end in ends.items():
        shape = ", ".join(map(str, end["shape"]))
        assert f"| `{name}` | {np.dtype(end['dtype']).name} | ({shape}) |" in PAGE


@pytest.mark.parametrize(
    ("code", "patterns"),
    [
        (
            KOTLIN,
            [
                r'createInputBuffer\("(\w+)", "\w+"\)',
                r'mapOf\("(\w+)" to image\)',
                r'createOutputBuffer\("(\w+)", "\w+"\)',
                r'mapOf\("(\w+)" to embedding\)',
            ],
        ),
        (
            SWIFT,
            [r'input\(named: "(\w+)"\)', r'invoke\(with: \["(\w+)":', r'output\(named: "(\w+)"\)'],
        ),
    ],
    ids=["kotlin", "swift"],
)
def test_names_in_the_snippets(code, patterns, ends):
    used = [re.findall(pattern, code) for pattern in patterns]
    assert all(used), "a pattern matches nothing: the code was rewritten"
    assert {name for names in used for name in names} == set(ends)
    signatures = re.findall(r'"(serving_\w+)"', code)
    assert set(signatures) == {SIGNATURE}


def test_types_and_lengths_in_the_snippets(ends):
    image, embedding = ends.values()
    assert image["dtype"] is np.uint8
    assert "image.writeInt8(" in KOTLIN
    assert "image.dataType == .uInt8" in SWIFT
    assert embedding["dtype"] is np.float32
    assert "embedding.readFloat()" in KOTLIN
    assert "bindMemory(to: Float32.self)" in SWIFT
    assert re.findall(r"FloatBuffer\.allocate\((\d+)\)", KOTLIN) == [str(embedding["shape"][1])]
    assert image["quantization"] == embedding["quantization"] == (0.0, 0)


def test_files_in_the_snippets(exported):
    assert set(re.findall(r'"([\w.]+\.tflite)"', KOTLIN)) == {FILE}
    assert set(re.findall(r'forResource: "(\w+)", ofType: "tflite"', SWIFT)) == {
        FILE.removesuffix(".tflite")
    }
    with zipfile.ZipFile(exported / FILE) as archive:
        assert archive.namelist() == [TFLITE_METADATA]
    assert f'assets.open("{TFLITE_METADATA}")' in KOTLIN
    assert f"`{TFLITE_METADATA}`" in PAGE
    assert f"`{TFLITE_LABELS}`" in PAGE


def test_fields_that_the_app_reads(exported, ends):
    with zipfile.ZipFile(exported / FILE) as archive:
        description = json.loads(archive.read(TFLITE_METADATA))
    (section,) = re.findall(r'getJSONObject\("(\w+)"\)', KOTLIN)
    fields = re.findall(r'val (\w+) = input\.getInt\("(\w+)"\)', KOTLIN)
    assert fields == [("height", "height"), ("width", "width")]
    image = ends["image"]
    assert [description[section][name] for _, name in fields] == list(image["shape"][1:3])


def test_vector_has_length_1(interpreter, ends):
    image, embedding = ends.values()
    pixels = np.random.default_rng(0).integers(0, 256, image["shape"], np.uint8)
    interpreter.set_tensor(image["index"], pixels)
    interpreter.invoke()
    vector = interpreter.get_tensor(embedding["index"])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_runtime_of_the_pod_is_new_enough(exported):
    """The converter stores the minimum version of TensorFlow Lite in the file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs((exported / FILE).read_bytes())
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    (entry,) = [each for each in entries if each.Name() == b"min_runtime_version"]
    needed = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes().rstrip(b"\0").decode()
    (pod,) = set(re.findall(r"'TensorFlowLiteSwift', '~> ([\d.]+)'", PODFILE))
    assert _numbers(needed) <= _numbers(pod)


def _numbers(version):
    return [int(number) for number in version.split(".")]


def test_operations_that_the_page_lists(exported):
    (row,) = re.findall(r"^\| x0\.25, x1\.0 \| (.*?) \|", PAGE, re.MULTILINE)
    assert _operations(exported / FILE) - {"DEQUANTIZE"} <= set(re.findall(r"`(\w+)`", row))


def _operations(file):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    opened = Interpreter(model_path=str(file), experimental_op_resolver_type=plain)
    return {operation["op_name"] for operation in opened._get_ops_details()}


def test_options_of_the_command():
    lines = "\n".join(snippets("bash")).replace("\\\n", " ")
    commands = re.findall(r"keras-osnet export (.*)", lines)
    assert commands
    known = {name for parameter in command.params for name in parameter.opts}
    options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", " ".join(commands)))
    assert "--images" in options
    assert options <= known
