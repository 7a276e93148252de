import os
import pickle
import re
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.images import (
    ImageReadError,
    convert_image,
    decode_image,
    read_image,
    readable_suffixes,
    resize_image,
)
from keras_osnet.data.list_images import list_images
from keras_osnet.data.load_images import find_unreadable, load_images, read_together


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 12, 3), dtype=np.uint8)


def reference_read(path, size=None):
    """torchreid's reader followed by torchvision's Resize, on a Pillow image."""
    image = Image.open(path).convert("RGB")
    if size is not None:
        image = image.resize((size[1], size[0]), Image.BILINEAR)
    return np.asarray(image)


# --- list_images -------------------------------------------------------------------------------


def test_list_is_recursive_sorted_and_without_hidden_files(tmp_path):
    names = ["b.PNG", "a/z.jpg", "a/y.Jpeg", "a.bmp", "a/b/c.webp", "a/b/d.ppm"]
    for name in [*names, ".a.png", "._b.PNG", ".git/x.png", "a/.x/y.png", "a/text.txt", "png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.warns(
        UserWarning, match=r"2 left out of .*: folder\.png \(no image in it\); png \("
    ):
        found = list_images(str(tmp_path))
    assert all(isinstance(path, Path) for path in found)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == sorted(names)


def test_list_in_a_hidden_folder_that_is_asked_for(tmp_path):
    folder = tmp_path / ".cache"
    folder.mkdir()
    (folder / "a.png").touch()
    assert list_images(folder) == [folder / "a.png"]


def test_list_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`folder` does not exist. Received: .*nowhere"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"`folder` holds no images \(.jpg.* Received: "):
        list_images(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(NotADirectoryError, match=r"must be a folder. Received: .*a\.png"):
        list_images(tmp_path / "a.png")


def test_list_does_not_pass_over_a_folder_it_may_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    (tmp_path / "locked").mkdir()
    real_scandir = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(path)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        list_images(tmp_path)


def test_list_of_every_format_and_what_is_left_out(tmp_path, pixels):
    image = Image.fromarray(pixels)
    formats = {"jfif": "JPEG", "JPE": "JPEG", "tif": "TIFF", "GIF": "GIF", "jp2": "JPEG2000"}
    for suffix, name in formats.items():
        (tmp_path / "anna").mkdir(exist_ok=True)
        image.save(tmp_path / f"anna/{name}.{suffix}", format=name)
    for name in ("bert", "carl/deep/deeper", "dora", "@eaDir", "__MACOSX", ".git"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "@eaDir/1.jpg",
        "__MACOSX/._1.jpg",
        ".git/2.jpg",
        "anna/Thumbs.db",
        "anna/.DS_Store",
    ):
        (tmp_path / name).touch()
    for name in ("anna/desktop.ini", "anna/._x.jpg", "anna/notes.txt", "labels.csv"):
        (tmp_path / name).touch()
    (tmp_path / "dora/1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "anna/film.mp4").touch()
    with pytest.warns(UserWarning, match="left out") as warned:
        found = list_images(tmp_path)
    assert {path.suffix[1:] for path in found} == set(formats)
    assert all(read_image(path).shape == pixels.shape for path in found)
    (message,) = (str(each.message) for each in warned)
    assert message.startswith(f"5 left out of {tmp_path}: anna/film.mp4 (no image format that is")
    assert "bert, carl, dora (no image in it)" in message
    if ".heic" not in readable_suffixes():
        assert 'dora/1.HEIC (HEIC needs a plug-in: pip install "keras-osnet[heic]")' in message
        with pytest.raises(ImageReadError, match=r"keras-osnet\[heic\]"):
            read_image(tmp_path / "dora/1.HEIC")


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights there")
def test_links_are_followed_once(tmp_path):
    (tmp_path / "real/zoe").mkdir(parents=True)
    (tmp_path / "store/eve").mkdir(parents=True)
    for name in ("real/zoe/1.png", "store/eve/2.png"):
        (tmp_path / name).touch()
    root = tmp_path / "real"
    (root / "eve").symlink_to(tmp_path / "store/eve")
    (root / "again").symlink_to(root / "zoe")
    (root / "zoe/loop").symlink_to(root)
    (tmp_path / "store/eve/back").symlink_to(root)
    (root / "itself").symlink_to("itself")
    (root / "gone.png").symlink_to("nowhere.png")
    (root / "zoe/link.png").symlink_to(tmp_path / "store/eve/2.png")
    os.mkfifo(root / "pipe.png")
    with pytest.warns(UserWarning, match="6 left out") as warned:
        found = list_images(root)
    assert [path.relative_to(root).as_posix() for path in found] == [
        "eve/2.png", "zoe/1.png", "zoe/link.png",
    ]  # fmt: skip
    message = str(warned[0].message)
    assert "again, eve/back, zoe/loop (a link to a folder that is searched already)" in message
    assert "gone.png, itself (a link that leads nowhere); pipe.png (not a regular file)" in message


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files there")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(ImageReadError, match=rf"A regular file is needed.*Received: {path}$"):
            read_image(path)


# --- read_image --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, (20, 12), (256, 128), (7, 5), (40, 6)])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "ppm"])
def test_read_equals_reference(tmp_path, pixels, size, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(path)
    result = read_image(str(path), size)
    assert result.dtype == np.uint8
    assert result.shape == ((*size, 3) if size else pixels.shape)
    assert result.flags.writeable
    np.testing.assert_array_equal(result, reference_read(path, size))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_is_converted_as_the_reference_does(tmp_path, pixels, mode):
    path = tmp_path / ("image.jpg" if mode in ("CMYK", "YCbCr") else "image.png")
    image = Image.fromarray(pixels).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(pixels[..., 0]))
    image.save(path)
    np.testing.assert_array_equal(read_image(path), reference_read(path))


def test_transparency_is_dropped_not_blended(tmp_path):
    path = tmp_path / "image.png"
    Image.new("RGBA", (2, 2), (10, 20, 30, 0)).save(path)
    assert read_image(path).reshape(-1, 3).tolist() == [[10, 20, 30]] * 4


@pytest.mark.filterwarnings("error")
def test_palette_with_transparency_gives_no_warning(tmp_path, pixels):
    path = tmp_path / "image.png"
    Image.fromarray(pixels).convert("P").save(path, transparency=bytes(range(256)))
    np.testing.assert_array_equal(
        read_image(path)[0, 0], Image.open(path).convert("RGBA").load()[0, 0][:3]
    )


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_the_first_image_of_several(tmp_path, suffix):
    path = tmp_path / f"images.{suffix}"
    first, second = (Image.new("RGB", (8, 16), color) for color in ("red", "blue"))
    first.save(path, save_all=True, append_images=[second])
    assert np.abs(read_image(path).astype(int) - [255, 0, 0]).max() < 4


def test_a_file_that_another_program_would_be_started_for_is_refused(tmp_path, pixels):
    path = tmp_path / "image.jpg"
    Image.fromarray(pixels).save(path, format="EPS")
    with pytest.raises(ImageReadError, match="no image format that Pillow reads"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "ppm"])
def test_sixteen_bit_gray_keeps_its_high_byte(tmp_path, suffix):
    values = np.array([[0, 255, 256], [0x1234, 0x8000, 0xFFFF]], np.uint16)
    path = tmp_path / f"image.{suffix}"
    if suffix == "png":
        Image.fromarray(values).save(path)
    else:  # older Pillow reads these but does not write them
        path.write_bytes(b"P5 3 2 65535\n" + values.astype(">u2").tobytes())
    result = read_image(path)
    np.testing.assert_array_equal(result, np.repeat((values >> 8)[..., None], 3, axis=2))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    upright = np.zeros((48, 32, 3), np.uint8)
    upright[:24, :16] = 255  # the top left quarter
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(upright)
    if orientation > 1:  # stored as the camera was held: the turn back to upright undone
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
        stored = stored.transpose(Image.Transpose(undo))
    path = tmp_path / f"image.{suffix}"
    stored.save(path, exif=exif)
    result = read_image(path)
    assert result.shape == upright.shape
    assert np.abs(result.astype(int) - upright)[4:20, 4:12].max() < 20
    assert result[30:, 20:].max() < 20
    assert np.abs(convert_image(Image.open(path)).astype(int) - upright)[4:20, 4:12].max() < 20


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_is_no_reason_to_refuse_an_image(tmp_path, pixels):
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\x7fjunk")
    np.testing.assert_array_equal(read_image(path), pixels)


def test_truncated_files(tmp_path, pixels):
    big = np.tile(pixels, (10, 10, 1))
    for suffix in ("png", "jpg", "bmp", "webp", "ppm"):
        path = tmp_path / f"image.{suffix}"
        Image.fromarray(big).save(path)
        content = path.read_bytes()
        for share in (0.0, 0.002, 0.5, 0.9):
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(ImageReadError, match=rf"Received: .*image\.{suffix}$"):
                read_image(path)


def test_unreadable_names_file_and_reason(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not an image")
    with pytest.raises(ImageReadError, match="no image format that Pillow reads") as caught:
        read_image(path)
    assert isinstance(caught.value, ValueError)
    assert caught.value.paths == (path,)
    assert caught.value.reasons[path]
    with pytest.raises(ImageReadError, match=r"No such file or directory. Received: .*gone"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageReadError):
        read_image(tmp_path)


def test_the_content_of_a_file_is_decoded_as_the_file(tmp_path, pixels):
    file = tmp_path / "image.jpg"
    Image.fromarray(pixels).save(file)
    content = file.read_bytes()
    np.testing.assert_array_equal(decode_image(content, (16, 8)), read_image(file, (16, 8)))
    assert decode_image(content).shape == pixels.shape
    for broken in (b"", b"no image", content[:100]):
        file.write_bytes(broken)
        with pytest.raises(ImageReadError) as of_file:
            read_image(file)
        with pytest.raises(ValueError, match=re.escape(of_file.value.reasons[file])):
            decode_image(broken)


def test_unreadable_survives_pickling():
    error = pickle.loads(pickle.dumps(ImageReadError({Path("a.png"): "no reason"})))
    assert (error.paths, error.reasons) == ((Path("a.png"),), {Path("a.png"): "no reason"})
    assert str(error) == "Cannot read the image: no reason. Received: a.png"


def test_one_error_for_many_files():
    errors = [ImageReadError({Path(f"{number}.png"): "gone"}) for number in range(12)]
    error = ImageReadError.join(errors[:2])
    assert error.paths == (Path("0.png"), Path("1.png"))
    assert str(error) == "Cannot read 2 images. Received: 0.png: gone; 1.png: gone"
    assert str(ImageReadError.join(errors)).endswith("; 9.png: gone; and 2 more")


def test_gray_without_a_range_is_refused(tmp_path):
    path = tmp_path / "image.tiff"
    Image.new("F", (2, 2)).save(path)
    with pytest.raises(ImageReadError, match="floating-point"):
        read_image(path)
    Image.fromarray(np.full((2, 2), 70000, np.int32)).save(path)
    with pytest.raises(ImageReadError, match="more than 16 bits"):
        read_image(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [239, 100])  # Pillow only warns at the first
def test_decompression_bombs_are_refused(tmp_path, pixels, monkeypatch, limit):
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ImageReadError, match="pixels"):
        read_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 240)
    assert read_image(path).shape == (20, 12, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_image(path).shape == (20, 12, 3)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5,), (5, 5, 3), 5, (5.0, 5.0), "ab"])
def test_size_must_be_two_positive_integers(tmp_path, size):
    for call in (lambda: read_image(tmp_path / "a.png", size), lambda: load_images([], size)):
        with pytest.raises(
            ValueError, match=r"`image_size` must be \(height, width\).*Received"
        ) as got:
            call()
        assert not isinstance(got.value, ImageReadError)


def test_without_pillow_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r'needs Pillow.*pip install "keras-osnet\[cli\]"'):
        read_image("a.png")
    with pytest.raises(ImportError, match=r'pip install "keras-osnet\[cli\]"'):
        load_images(["a.png"], (2, 2))


# --- resize_image ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 12), (40, 24), (7, 5), (20, 6), (31, 12)])
def test_pixels_are_resized_as_files_are(tmp_path, pixels, size):
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    resized = resize_image(pixels, size)
    np.testing.assert_array_equal(resized, read_image(path, size))
    assert resized.dtype == np.uint8
    mirrored = resize_image(pixels[:, ::-1], size)  # not contiguous
    np.testing.assert_array_equal(
        mirrored, resize_image(np.ascontiguousarray(pixels[:, ::-1]), size)
    )


# --- load_images -------------------------------------------------------------------------------


def test_another_error_ends_all_threads():
    """Ctrl-C, which raises in the thread that waits, must not wait for thousands of images."""
    begun = []

    def read(index):
        begun.append(index)
        if index == 3:
            raise MemoryError("no memory")
        time.sleep(0.001)
        return np.zeros((4, 2, 3), np.uint8)

    with pytest.raises(MemoryError, match="no memory"):
        read_together(4000, (4, 2), read)
    assert len(begun) < 1000


def test_load_keeps_the_order_and_names_the_unreadable(tmp_path, pixels):
    paths = [tmp_path / f"{index}.png" for index in range(20)]
    for index, path in enumerate(paths):
        Image.fromarray(np.roll(pixels, index, axis=0)).save(path)
    whole = load_images([str(path) for path in paths], (16, 8))
    assert whole.paths == paths
    assert whole.unreadable == {}
    assert whole.images.dtype == np.uint8
    for path, image in zip(paths, whole.images, strict=True):
        np.testing.assert_array_equal(image, reference_read(path, (16, 8)))

    paths[3].write_bytes(b"")
    paths[19].unlink()
    part = load_images(paths, (16, 8))
    good = [index for index in range(20) if index not in (3, 19)]
    assert part.paths == [paths[index] for index in good]
    np.testing.assert_array_equal(part.images, whole.images[good])
    assert list(part.unreadable) == [paths[3], paths[19]]


def test_load_nothing(tmp_path):
    assert load_images([], (4, 2)).images.shape == (0, 4, 2, 3)
    broken = load_images([tmp_path / "gone.png"], (4, 2))
    assert broken.images.shape == (0, 4, 2, 3)
    assert len(broken.unreadable) == 1


def test_find_unreadable(tmp_path, pixels):
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path in paths[:2]:
        Image.fromarray(pixels).save(path)
    paths[1].write_bytes(b"")
    assert list(find_unreadable([str(path) for path in paths])) == paths[1:]
    assert find_unreadable([]) == {}


# --- real images -----------------------------------------------------------------------------


def test_real_images(reference, tmp_path):
    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    people = read_folder(tmp_path)
    assert len(people) == 640
    labels = [(person.identity, person.camera) for person in people]
    assert len({identity for identity, _ in labels}) == 40
    assert set(map(labels.count, labels)) == {8}
    assert {camera for _, camera in labels} == {1, 2}

    paths = [person.path for person in people]
    loaded = load_images(paths, (256, 128))
    assert loaded.paths == paths
    for path, image in list(zip(paths, loaded.images, strict=True))[::20]:
        assert read_image(path).shape == (128, 48, 3)
        np.testing.assert_array_equal(image, reference_read(path, (256, 128)))
