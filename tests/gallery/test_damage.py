"""Full disks, damaged files, and the errors of the library behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gallery_rows import some_columns, some_vectors

from keras_osnet.gallery import Gallery, GalleryError
from keras_osnet.gallery.errors import explained

pytest.importorskip("lance", reason="the extra `gallery` is not installed")


@pytest.fixture
def filled(gallery):
    columns = some_columns(40)
    for part in (slice(0, 20), slice(20, 40)):
        chosen = {name: values[part] for name, values in columns.items()}
        gallery.add(some_vectors(40)[part], chosen, model="m")
    return gallery


def data_files(gallery):
    return sorted((Path(gallery.uri) / "data").iterdir(), key=lambda file: file.stat().st_mtime)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "missing"])
@pytest.mark.parametrize("use", ["search", "read", "compact", "info"])
def test_a_damaged_file_is_named(filled, damage, use):
    file = data_files(filled)[-1]
    content = file.read_bytes()
    changed = {"cut": content[: len(content) // 2], "empty": b"", "other": b"x" * len(content)}
    file.unlink() if damage == "missing" else file.write_bytes(changed[damage])
    with Gallery.open(filled.uri) as opened:
        calls = {
            "search": lambda: opened.search(np.ones(16), 40),
            "read": opened.read,
            "compact": opened.compact,
            "info": opened.info,
        }
        with pytest.raises(GalleryError, match=f"damaged: data/{file.name}") as caught:
            calls[use]()
    assert caught.value.args[0].endswith(f"Received: {filled.uri}")
    assert ".rs:" not in str(caught.value)


def test_a_damaged_version_is_an_error_of_ours(filled):
    for manifest in (Path(filled.uri) / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"nothing")
    with pytest.raises(GalleryError, match=r"The gallery could not be opened: .*people\.lance$"):
        Gallery.open(filled.uri).count()


def test_data_sets_of_others_are_refused(tmp_path):
    lance, pa = pytest.importorskip("lance"), pytest.importorskip("pyarrow")
    lance.write_dataset(pa.table({"a": [1]}), tmp_path / "other.lance")
    with pytest.raises(GalleryError, match="not written by keras_osnet"):
        Gallery.open(tmp_path / "other.lance").add(np.eye(2), model="m")


FULL = """
import resource, signal, sys
import numpy as np
from keras_osnet.gallery import Gallery
gallery = Gallery.open(sys.argv[1])
print(gallery.count())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    gallery.add(np.random.default_rng(1).normal(size=(50_000, 16)), model="m")
except OSError as error:
    print(error.errno, error)
print(gallery.count(), gallery.add(np.eye(1, 16), model="m"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of the size of files")
def test_a_full_disk(filled):
    """A process may not write large files; the gallery keeps what it had and takes more later."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    output = subprocess.run(
        [sys.executable, "-c", FULL, filled.uri],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    ).stdout.splitlines()
    assert output[0] == "40"
    assert output[1].startswith(f"{errno.EFBIG} ")
    assert "could not be added to and keeps what it had. Free some space there" in output[1]
    assert output[2] == "40 1"
    assert filled.count() == 41


def test_errors_of_the_library_are_short():
    with pytest.raises(GalleryError) as caught, explained("people.lance", "searched"):
        raise ValueError("LanceError(IO): no answer, /home/x/rust/io.rs:27:40\nbacktrace")
    assert (
        str(caught.value) == "The gallery could not be searched: no answer. Received: people.lance"
    )
    with pytest.raises(OSError, match="No space left on device") as caught, explained("p", "added"):
        raise RuntimeError("Generic error: write failed (os error 28)")
    assert caught.value.errno == errno.ENOSPC
