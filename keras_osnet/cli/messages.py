"""The library's messages in the words of a command: options in place of Python arguments."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource

_STAND_FOR: Mapping[str, tuple[str, ...]] = {
    "block": ("block", "name"),
    "classes": ("class_index",),
    "count": ("identities",),
    "dataset": ("dataset", "data"),
    "datasets": ("dataset", "data"),
    "destination": ("destination", "output"),
    "entries": ("settings",),
    "features": ("data",),
    "file": ("weights",),
    "files": ("weights",),
    "folder": ("data", "query", "gallery", "calibration", "images", "folder", "runs", "output"),
    "fraction": ("test_share",),
    "images": ("images", "data", "query", "calibration"),
    "input_shape": ("image_size",),
    "kind": ("distribution",),
    "labels": ("labels", "data"),
    "layer": ("layer", "block", "name"),
    "layers": ("layer", "block", "name"),
    "model": ("weights",),
    "name": ("name", "dataset", "recipe", "output"),
    "names": ("layer", "block", "name"),
    "outputs": ("layer", "block"),
    "path": ("data", "query", "gallery", "weights", "runs", "source", "destination", "output"),
    "paths": ("images", "data"),
    "people": ("data", "query"),
    "recipe": ("recipe", "name", "settings"),
    "references": ("reference",),
    "root": ("data", "output"),
    "size": ("image_size",),
    "source": ("source", "weights"),
    "tag": ("weights", "source"),
    "training": ("runs", "folder"),
    "vectors": ("data",),
    "weights": ("source",),
}
"""For arguments of the library: the parameters of commands that give their values."""

_OF_FILES = {
    "file",
    "files",
    "folder",
    "model",
    "path",
    "paths",
    "people",
    "root",
    "tag",
    "weights",
}
"""Arguments of the library that any option of a file, a folder or weights can stand for."""

_OPPOSITES = {"check": "no_check", "normalize": "raw", "skip_unreadable": "strict"}
"""Arguments of the library, and the flags that set them to False."""

_UNAMBIGUOUS = {"check", "overwrite", "tag", "input_shape", "classes", "references", "kind"}
"""Arguments that are translated without backticks too, though no option has their name."""

_FLAGS = {"overwrite": "force"}

_NONE = re.compile(r" \(or None[^)]*\)|,? or None\b|\bNone, (?=an? |the )")
"""What leaves an argument out in Python: an option is not given."""

_VALUE = r"\([^()]*\)|\"[^\"]*\"|'[^']*'|[^\s,;`)]*[^\s,;`).]|"


def with_options(message: str, context: click.Context | None) -> str:
    """Return a message of the library with the options of a command in place of arguments.

    "`query_camera` must be …" becomes "--query-camera must be …", "`check=False`" --no-check, and
    "width=0.3" --width 0.3. An argument that several options can stand for (`folder`) is the one
    whose value was received, or else the first that was given. Names that no option stands for, and
    names of a table's columns, stay.

    Args:
        message: Of an error or a warning.
        context: Of the command that runs.
    """
    if context is None or not context.params:
        return message

    def bare(match: re.Match[str]) -> str:
        return _spelled(match[1], None, match, context) or match[0]

    def valued(match: re.Match[str]) -> str:
        return _spelled(match[1], match[2], match, context) or match[0]

    def plain(match: re.Match[str]) -> str:
        # An entry of a record may be called like another argument: "with images=16".
        own = any(match[1] in _names(each) for each in context.command.params)
        return valued(match) if own or match[1] in _UNAMBIGUOUS else match[0]

    said, message = message, re.sub(r"(?<![Cc]olumn )`(\w+)`", bare, message)
    message = re.sub(rf"`(\w+)=({_VALUE})`", valued, message)
    # Not inside of a call, a text in quotes or another name: OSNet(head="embedding").
    message = re.sub(rf"(?<![\w.(\"'`/-])(\w+)=(?!=)({_VALUE})", plain, message)
    return message if message == said else _NONE.sub("", message)


def _spelled(
    name: str, value: str | None, match: re.Match[str], context: click.Context
) -> str | None:
    """Return an argument, perhaps with its value, as it is written for the command."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if name in _OPPOSITES:
        option = _parameter(context, _OPPOSITES[name])
        return option and (f"no {option}" if value == "True" else option)
    found = _candidates(context, _FLAGS.get(name, name))
    received = after.partition("Received: ")[2]
    parameter = _received(context, found, received)
    if parameter is None and name in _OF_FILES:
        files = [each for each in context.command.params if _is_given_text(context, each)]
        parameter = _received(context, files, received)
    if parameter is None:
        if not found:
            return None
        parameter = next((each for each in found if _is_given(context, each)), found[0])
    # An entry of a recipe or of a file's description may have the name of an option.
    is_of_a_file = after.startswith(" of ") or (before.endswith("(") and after.startswith(")"))
    if is_of_a_file and not _is_given(context, parameter):
        return None
    option = _written(parameter)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return f"no {option}" if value == "False" else option
    if value == "None":
        return f"{option} random" if parameter.name == "weights" else f"no {option}"
    return " ".join([option, *(value or "").strip("()\"'").replace(",", " ").split()])


def _received(
    context: click.Context, parameters: list[click.Parameter], received: str
) -> click.Parameter | None:
    """Return the parameter whose value a message says was received."""
    # By place and length: the folder of the output may be the beginning of another path.
    places = [
        (received.index(text), -len(text), number)
        for number, each in enumerate(parameters)
        for text in _texts(context, each)
        if text in received
    ]
    return parameters[min(places)[2]] if places else None


def _candidates(context: click.Context, name: str) -> list[click.Parameter]:
    own = [each for each in context.command.params if name in _names(each)]
    others = {each.name: each for each in context.command.params}
    return own + [others[each] for each in _STAND_FOR.get(name, ()) if each in others]


def _names(parameter: click.Parameter) -> Iterator[str]:
    """Yield the names of a parameter in Python: of the callback, and as the option is written."""
    yield parameter.name or ""
    if isinstance(parameter, click.Option):
        yield from (each.lstrip("-").replace("-", "_") for each in parameter.opts)


def _parameter(context: click.Context, name: str) -> str | None:
    return next((_written(each) for each in context.command.params if each.name == name), None)


def _written(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.metavar or (parameter.name or "").upper()


def _texts(context: click.Context, parameter: click.Parameter) -> Iterator[str]:
    """Yield the values that a parameter was given, as they are shown in a message."""
    value: Any = context.params.get(parameter.name or "")
    for each in value if isinstance(value, tuple | list) else [value]:
        if each is not None and len(str(each)) > 2:  # a number may be anywhere by chance
            yield str(each)


def _is_given_text(context: click.Context, parameter: click.Parameter) -> bool:
    """Return whether a path or a text was given, or several."""
    value = context.params.get(parameter.name or "")
    first = next(iter(value), None) if isinstance(value, tuple | list) else value
    return isinstance(first, str | os.PathLike) and _is_given(context, parameter)


def _is_given(context: click.Context, parameter: click.Parameter) -> bool:
    source = context.get_parameter_source(parameter.name or "")
    return source is ParameterSource.COMMANDLINE
