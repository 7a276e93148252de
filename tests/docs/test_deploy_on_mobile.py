"""docs/deploy_on_mobile.md and the Kotlin and Swift examples match an exported file."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import keras_osnet
from keras_osnet.cli.export import export as command
from keras_osnet.runtime.metadata import TFLITE_LABELS, TFLITE_METADATA, ModelMetadata

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
    assert "image.dataType == .uInt8, image.shape.dimensions == [1, height, width, 3]" in SWIFT
    assert list(image["shape"]) == [1, 256, 128, 3]
    assert embedding["dtype"] is np.float32
    assert "embedding.readFloat()" in KOTLIN
    assert "bindMemory(to: Float32.self)" in SWIFT
    assert "FloatBuffer.allocate(dim)" in KOTLIN
    assert image["quantization"] == embedding["quantization"] == (0.0, 0)


def test_files_in_the_snippets(exported):
    assert set(re.findall(r'"([\w.]+\.tflite)"', KOTLIN)) == {FILE, "attributes.tflite"}
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
        facts = json.loads(archive.read(TFLITE_METADATA))
    sections = re.findall(r'val (\w+) = facts\.getJSONObject\("(\w+)"\)', KOTLIN)
    assert sections == [("input", "input"), ("output", "output")]
    read = re.findall(r'= (\w+)\.getInt\("(\w+)"\)', KOTLIN)
    assert read == [("input", "height"), ("input", "width"), ("output", "dim")]
    image, embedding = ends.values()
    assert [facts[section][name] for section, name in read] == [
        *image["shape"][1:3],
        embedding["shape"][1],
    ]

    for section, body in re.findall(
        r"struct (Input|Output): Decodable \{(.*?)\}", SWIFT, re.DOTALL
    ):
        declared = re.findall(r"let ([\w, ]+): (\w+)", body)
        assert declared
        for names, kind in declared:
            for name in names.split(", "):
                assert type(facts[section.lower()][name]) is _SWIFT[kind], name
    assert "let format: Int\n    let input: Input\n    let output: Output" in SWIFT


_SWIFT = {"String": str, "Int": int, "Bool": bool}


def wanted_by(language):
    """The values that the class wants in the metadata, by section and field."""
    if language == "kotlin":
        found = re.findall(r'check\((\w+), "(\w+)", ([^)]+)\)', KOTLIN)
        return {
            (section.replace("facts", ""), name): json.loads(one) for section, name, one in found
        }
    (body,) = re.findall(r"var isSupported: Bool \{(.*?)\}", SWIFT, re.DOTALL)
    found = re.findall(r"(?:(\w+)\.)?(\w+)(?: == (\S+))?(?: &&|\s*$|\s+&&)", body)
    return {(section, name): json.loads(one or "true") for section, name, one in found}


@pytest.mark.parametrize("language", ["kotlin", "swift"])
@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        ({}, True),
        ({"dtype": "float32"}, False),
        ({"dtype": "float32", "pixel_range": "0-1"}, False),
        ({"layout": "NCHW"}, False),
        ({"channels": "BGR"}, False),
        ({"batch": None}, False),
        ({"l2_normalized": False}, False),
        ({"output_kind": "maps"}, False),
    ],
)
def test_files_that_the_app_takes(language, arguments, taken):
    plain = {"dtype": "uint8", "batch": 1, "l2_normalized": True}
    metadata = ModelMetadata(name="osnet", image_size=(256, 128), dim=512, **{**plain, **arguments})
    facts = json.loads(metadata.to_json())
    wanted = wanted_by(language)
    assert len(wanted) == 8
    values = {key: (facts[key[0]] if key[0] else facts)[key[1]] for key in wanted}
    assert (values == wanted) is taken


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
