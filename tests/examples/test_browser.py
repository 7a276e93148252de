"""The sources of the browser example; `tests/neighbours/test_browser.py` runs it."""

import json
import re
from pathlib import Path

from keras_osnet.runtime import metadata

FOLDER = Path(__file__).parents[2] / "examples/browser"


def test_page_reads_the_current_metadata():
    text = (FOLDER / "metadata.js").read_text("utf-8")
    assert f"const FORMAT = {metadata.FORMAT};" in text
    assert f'const NAME = "{metadata.TFLITE_METADATA}";' in text
    facts = json.loads(
        metadata.ModelMetadata(name="osnet", image_size=(256, 128), dim=512).to_json()
    )
    scripts = text + (FOLDER / "worker.js").read_text("utf-8")
    for section, fields in (("input", facts["input"]), ("output", facts["output"])):
        named = set(re.findall(rf"\b{section}\.(\w+)", scripts))
        assert named
        assert named <= set(fields)


def test_packages_are_locked():
    package = json.loads((FOLDER / "package.json").read_text("utf-8"))
    lock = json.loads((FOLDER / "package-lock.json").read_text("utf-8"))["packages"]
    for name in package["dependencies"] | package["devDependencies"]:
        assert lock[f"node_modules/{name}"]["integrity"]
    # The registry is the reader's.
    assert not any("resolved" in entry for entry in lock.values())
