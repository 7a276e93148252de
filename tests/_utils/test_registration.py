"""A saved OSNet can be loaded whichever of Keras and keras_osnet is imported first."""

import subprocess
import sys

import pytest

NAMES = ("OmniScaleBlock", "OSNetModel", "BatchHardTripletLoss", "AMSGrad", "MutualLearningModel")
REGISTERED = f"[bool(keras.saving.get_registered_object(f'keras_osnet>{{n}}')) for n in {NAMES}]"
FINDERS = "[each for each in sys.meta_path if type(each).__name__ == 'KerasFinder']"
COMPLETE = "[True, True, True, True, True] 0"


def in_fresh_python(code, *arguments):
    # The smallest backend: what is registered does not depend on it.
    code = f"import os, sys\nos.environ['KERAS_BACKEND'] = 'numpy'\n{code}"
    result = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, *arguments],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()


@pytest.mark.parametrize("imports", ["import keras, keras_osnet", "import keras_osnet, keras"])
def test_both_orders(imports):
    assert in_fresh_python(f"{imports}\nprint({REGISTERED}, len({FINDERS}))") == [COMPLETE]


@pytest.mark.large
@pytest.mark.parametrize(
    "imports",
    [
        "import keras_osnet.layers.conv_norm, keras",
        "import keras_osnet.architecture.network, keras",
        "import keras_osnet.losses.batch_hard_triplet_loss, keras",
        "import keras_osnet.training.trainer, keras",
        "from keras_osnet.models import OSNet; import keras",
        "import keras_osnet; from keras.saving import load_model; import keras",
        # The finder is not doubled by a reload, before Keras is there and after.
        "import importlib, keras_osnet; importlib.reload(keras_osnet); import keras",
        "import importlib, keras_osnet, keras; importlib.reload(keras_osnet)",
        "import importlib, keras_osnet, keras; importlib.reload(keras)",
        # Asking whether Keras is installed changes nothing.
        "import importlib.util, keras_osnet; importlib.util.find_spec('keras'); import keras",
    ],
)
def test_other_ways_to_import_them(imports):
    assert in_fresh_python(f"{imports}\nprint({REGISTERED}, len({FINDERS}))") == [COMPLETE]


@pytest.mark.large
def test_the_loader_of_keras_is_left_as_it_was():
    code = "import keras_osnet, keras\nprint(sorted(vars(keras.__spec__.loader)))"
    assert in_fresh_python(code) == ["['name', 'path']"]


@pytest.mark.large
def test_other_finders_that_ask_all_finders():
    """As wrapt's and others' import hooks do."""
    code = f"""
import importlib.util, keras_osnet
class Hook:
    active = False
    def find_spec(self, name, path=None, target=None):
        if self.active:
            return None
        self.active = True
        try:
            return importlib.util.find_spec(name)
        finally:
            self.active = False
sys.meta_path.insert(int(sys.argv[1]), Hook())
import keras
print({REGISTERED}, len({FINDERS}))
"""
    assert in_fresh_python(code, "0") == in_fresh_python(code, "1") == [COMPLETE]


@pytest.mark.large
@pytest.mark.parametrize("first", ["keras", "keras_osnet"])
def test_threads_that_import_both_at_once(first):
    code = f"""
import importlib, threading
names = [sys.argv[1], "keras", "keras_osnet", "keras", "keras_osnet"]
threads = [threading.Thread(target=importlib.import_module, args=[name]) for name in names]
threading.excepthook = lambda arguments: print(arguments.exc_value)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
import keras
print({REGISTERED}, len({FINDERS}))
"""
    assert in_fresh_python(code, first) == [COMPLETE]


def test_keras_that_is_not_installed_or_fails(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('no backend')")
    code = f"""
import keras_osnet
sys.path.insert(0, sys.argv[1])
for blocked in (False, True):
    if blocked:
        sys.modules["keras"] = None
    try:
        import keras
    except ImportError as error:
        print(error)
del sys.modules["keras"], sys.path[0]
import keras  # and the next attempt
print({REGISTERED}, len({FINDERS}))
"""
    assert in_fresh_python(code, str(tmp_path)) == [
        "no backend",
        "import of keras halted; None in sys.modules",
        COMPLETE,
    ]


@pytest.mark.large
def test_classes_that_cannot_be_registered_do_not_break_keras():
    code = """
import warnings, keras_osnet
sys.modules["h5py"] = sys.modules["keras_osnet.layers"] = None
warnings.simplefilter("always")
import keras
print(keras.__name__)
"""
    assert in_fresh_python(code) == ["keras"]


@pytest.mark.large
def test_pytests_importer(tmp_path):
    (tmp_path / "test_both.py").write_text(
        f"import keras_osnet, keras\ndef test():\n    assert all({REGISTERED})\n"
    )
    code = "import pytest\nsys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', sys.argv[1]]))"
    assert "1 passed" in in_fresh_python(code, str(tmp_path))[-1]
