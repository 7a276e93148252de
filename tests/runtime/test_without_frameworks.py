"""The package needs numpy, Pillow and one engine, and imports nothing else."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import keras_osnet

HEAVY = ("tensorflow", "keras", "h5py", "torch", "jax", "huggingface_hub", "rich", "click")

ENGINES = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime", "openvino": "openvino"}

EMBED = f"""
import numpy as np
import keras_osnet.runtime
for name in keras_osnet.runtime.__all__:
    getattr(keras_osnet.runtime, name)
embedder = keras_osnet.runtime.Embedder(sys.argv[1])
frame = np.arange(60 * 80 * 3, dtype="uint8").reshape(60, 80, 3)
vectors = embedder.embed_crops(frame, [(0, 0, 40, 60), (10, 5, 30, 55)])
print(embedder.engine, vectors.shape, [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("file", "engine"),
    [
        ("any.tflite", "litert"),
        ("any.onnx", "onnxruntime"),
        ("any.onnx", "openvino"),
        ("any.xml", "openvino"),
    ],
)
def test_one_engine_is_enough(described, fresh_python, file, engine):
    others = [module for name, module in ENGINES.items() if name != engine]
    printed = fresh_python(EMBED, described(file), blocked=[*HEAVY, "scipy", "onnx", *others])
    assert printed == f"{engine} (2, 8) []"


def test_nothing_is_imported_even_where_it_is_installed(described, fresh_python):
    assert fresh_python(EMBED, described("any.tflite"), blocked=()).endswith("[]")


def test_importing_the_package_imports_no_engine_and_no_pillow(fresh_python):
    code = (
        "import keras_osnet.runtime\n"
        "[getattr(keras_osnet.runtime, name) for name in keras_osnet.runtime.__all__]\n"
        f"print([name for name in {[*ENGINES.values(), 'PIL']} if name in sys.modules])"
    )
    assert fresh_python(code, blocked=()) == "[]"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("any.tflite", 'litert needs ai-edge-litert.*pip install "keras-osnet[litert]"'),
        ("any.onnx", 'onnxruntime needs onnxruntime.*pip install "keras-osnet[onnxruntime]"'),
        ("any.xml", 'openvino needs openvino.*pip install "keras-osnet[openvino]"'),
    ],
)
def test_a_missing_engine_says_what_to_install(described, fresh_python, file, message):
    code = """
from keras_osnet.runtime import Embedder
try:
    Embedder(sys.argv[1])
except ImportError as error:
    print(error)
"""
    printed = fresh_python(code, described(file), blocked=ENGINES.values())
    for part in message.split(".*"):
        assert part in printed


CROWD = """
import threading
sys.setswitchinterval(1e-5)
import numpy as np
from keras_osnet.runtime import Embedder
embedder = Embedder(sys.argv[1])
frame = np.arange(60 * 80 * 3, dtype="uint8").reshape(60, 80, 3)
boxes = [(left, 0, left + 20, 60) for left in range(40)]
shapes, threads = [], []
for _ in range(3):
    embed = lambda: shapes.append(embedder.embed_crops(frame, boxes).shape)
    threads.append(threading.Thread(target=embed))
    threads[-1].start()
for thread in threads:
    thread.join()
print(shapes)
"""


def crowd_processes(described, fresh_python, count):
    file = described("one.tflite")
    printed = [fresh_python(CROWD, file, blocked=HEAVY) for _ in range(count)]
    assert printed == ["[(40, 8), (40, 8), (40, 8)]"] * count


def test_the_first_frame_may_be_crowded(described, fresh_python):
    """Its crops are resized by threads, none of which may see Pillow half imported."""
    crowd_processes(described, fresh_python, 3)


@pytest.mark.large
def test_the_first_frame_may_be_crowded_in_fifty_processes(described, fresh_python):
    crowd_processes(described, fresh_python, 50)


def requirements(names):
    """Return installed distributions and all that they need, without extras."""
    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop().lower()
        if name not in found:
            found[name] = metadata.distribution(name)
            needed = [each for each in found[name].requires or () if ";" not in each]
            waiting += [re.match(r"[\w.-]+", each)[0] for each in needed]
    return found.values()


def test_the_small_installation_is_enough(described, tmp_path):
    """docs/installation.md installs the package without its dependencies, and three others."""
    text = Path("docs/installation.md").read_text("utf-8")
    assert "pip install --no-deps ." in text
    assert "pip install numpy pillow ai-edge-litert" in text
    packages = tmp_path / "packages"
    packages.mkdir()
    for distribution in requirements(["numpy", "pillow", "ai-edge-litert"]):
        for top in {file.parts[0] for file in distribution.files or ()} - {".."}:
            (packages / top).symlink_to(Path(distribution.locate_file(top)))
    (packages / "keras_osnet").symlink_to(Path(keras_osnet.__file__).parent)
    code = f"import sys; sys.path[:] = [{str(packages)!r}, *sys.path]" + EMBED
    command = [sys.executable, "-I", "-S", "-c", code, str(described("one.tflite"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "litert (2, 8) []", done.stderr
