import pytest


@pytest.fixture
def gallery(tmp_path):
    from keras_osnet.gallery import Gallery

    with Gallery.open(tmp_path / "people.lance") as opened:
        yield opened
