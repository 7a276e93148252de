import pytest

from keras_osnet._utils.csv_format import csv_format
from keras_osnet._utils.text import decode_text, text_encoding


@pytest.mark.parametrize(
    ("text", "delimiter", "skipped", "names", "has_rows"),
    [
        ("path,a\n1,2", ",", 0, ["path", "a"], True),
        ("Path ;a,b,c\n", ";", 0, ["Path ", "a,b,c"], False),
        ("path\n0\n", ",", 0, ["path"], True),
        ("a|b|c,d\n", "|", 0, ["a", "b", "c,d"], False),
        ("sep=#\na#path\n\n , \nx#y", "#", 1, ["a", "path"], True),
        ("sep=;\r\n;\r\n\r\n;path\r\n", ";", 3, ["", "path"], False),
        ('path\t"a\nb"\n1\t"2', "\t", 0, ["path", "a\nb"], True),
        ("", ",", 0, [], False),
        ("\n\n", ",", 0, [], False),
    ],
)
def test_the_header_tells_the_separator(text, delimiter, skipped, names, has_rows):
    found = csv_format(text, ("path",))
    assert found == (delimiter, skipped, names, has_rows)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("süß\n€", "utf-8"),
        ("süß\n€", "utf-8-sig"),
        ("süß\n€", "utf-16"),
        ("süß\n€", "utf-16-be"),
        ("süß\n€", "utf-32"),
        ("", "utf-8"),
    ],
)
@pytest.mark.parametrize("length", [1000, 41])
def test_an_encoding_is_found_in_blocks(text, encoding, length):
    """Characters may be divided between two blocks, but for the first ones."""
    content = ("abcdefghijk\n" * 5 + text).encode(encoding)
    blocks = [content[i : i + length] for i in range(0, len(content), length)]
    assert text_encoding(lambda: blocks, "a.csv") == encoding
    assert decode_text(content, "a.csv").endswith(text)


@pytest.mark.parametrize("length", [1, 3, 1000])
def test_other_bytes_are_taken_for_cp1252_with_a_warning(length):
    content = b"a\r\nb\r\ns\xfc\xdf\n"
    blocks = [content[i : i + length] for i in range(0, len(content), length)]
    with pytest.warns(UserWarning, match=r"a.csv is not in UTF-8.* first in line 3,"):
        assert text_encoding(lambda: blocks, "a.csv") == "cp1252"


@pytest.mark.parametrize("content", [b"a\x81", b"a\xff" + b"b" * 2000 + b"\0", b"\xff\xfea\0b"])
def test_bytes_that_are_no_text_are_refused(content):
    with pytest.raises(ValueError, match=r"not text in UTF-8, UTF-16 or cp1252\. Received: a.csv"):
        text_encoding(lambda: [content], "a.csv")
