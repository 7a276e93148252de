"""The table of export formats, and the places that must agree with it."""

from pathlib import Path

import keras
import pytest

from keras_osnet.cli.embed import command as embed
from keras_osnet.deploy import conversion
from keras_osnet.deploy.formats import FORMATS
from keras_osnet.runtime.engines import ENGINES, engines_for
from keras_osnet.runtime.read_metadata import FILE_KINDS


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_format_names_its_functions_and_is_run(suffix):
    kind = FORMATS[suffix]
    assert callable(kind.write)
    assert callable(kind.describe)
    assert suffix in FILE_KINDS
    assert isinstance(engines_for(Path("model" + suffix)), list)


def test_every_file_that_is_run_can_be_written():
    assert tuple(FORMATS) == FILE_KINDS


def test_another_suffix_is_no_format(tmp_path):
    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match=r"must end in \.tflite, .*Received: .*m\.bin"):
        conversion.write(keras.Model(image, image), "maps", tmp_path / "m.bin")
    assert not list(tmp_path.iterdir())


def test_the_command_line_offers_every_engine():
    """It lists them itself: its help imports no numpy, which the engines need."""
    (option,) = (each for each in embed.params if each.name == "engine")
    assert tuple(option.type.choices) == ("auto", *ENGINES, "keras", "ray")
