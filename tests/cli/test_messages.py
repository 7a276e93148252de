"""The library's messages in the words of every command."""

import click
import pytest

from keras_osnet.cli.application import application
from keras_osnet.cli.messages import with_options


def commands(group=application, context=None):
    """Yield the names and the commands of all groups."""
    context = click.Context(group, parent=context, info_name=group.name)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, context)
        else:
            yield f"{group.name} {name}".removeprefix("keras-osnet "), command


ALL = list(commands())


def context_of(name, given):
    """Return the context of a command with these values, as if they had been typed."""
    command = dict(ALL)[name]
    context = click.Context(command, info_name=name)
    context.params = {each.name: given.get(each.name) for each in command.params}
    for each in given:
        context.set_parameter_source(each, click.core.ParameterSource.COMMANDLINE)
    return context


OPTIONS = [
    (name, option)
    for name, command in ALL
    for option in command.params
    if isinstance(option, click.Option) and option.name != "help"
]


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{n}-{o.name}" for n, o in OPTIONS])
def test_every_option_of_every_command(name, option):
    written = max(option.opts, key=len)
    for argument in {option.name, written.lstrip("-").replace("-", "_")}:
        context = context_of(name, {})
        message = with_options(f"`{argument}` must be good. Received: ''", context)
        assert message == f"{written} must be good. Received: ''"
        message = with_options(f"Set `{argument}=`. Received: {argument}=None", context)
        assert message.startswith(f"Set {written}. Received: ")
        assert f"{argument}=" not in message
        if not option.is_flag:
            for shown in (f"`{argument}=0.5`", f"{argument}=0.5", f'{argument}="0.5"'):
                assert with_options(f"With {shown}.", context) == f"With {written} 0.5."


@pytest.mark.parametrize(
    ("name", "given", "message", "shown"),
    [
        ("evaluate", {}, "With `check=False` it is read.", "With --no-check it is read."),
        ("evaluate", {"data": "/dir"}, "`folder` is bad. Received: /dir", "--data is bad."),
        ("evaluate", {"gallery": "/dir"}, "`folder` is bad. Received: /dir/x", "--gallery is bad."),
        ("evaluate", {}, "With `rerank=True`.", "With --rerank."),
        ("evaluate", {}, "Column `split` of a table", "Column `split` of a table"),
        ("evaluate", {}, "as OSNet(head='embedding') has", "as OSNet(head='embedding') has"),
        ("evaluate", {}, "`image_size=(64, 32)`", "--image-size 64 32"),
        ("evaluate", {"data": "/d"}, "with images=16 it is", "with images=16 it is"),
        ("evaluate", {}, "Received: tag='nope'", "Received: --weights nope"),
        ("evaluate", {}, "or `weights=None`", "or --weights random"),
        ("evaluate", {}, "`width` must be None, a number", "--width must be a number"),
        ("convert", {}, "`overwrite` is not set", "--force is not set"),
        ("export", {}, '`quantization="int8"` and `batch`', "--quantization int8 and --batch"),
        ("embed", {}, "`paths` must name images. Received: none", "IMAGES must name images."),
        ("visualize block", {}, "`layer` must be a block", "--name must be a block"),
        ("train", {}, "`epochs` of own.toml must be 1", "`epochs` of own.toml must be 1"),
        ("train", {"epochs": 3}, "`epochs` must be 1", "--epochs must be 1"),
        ("recipes", {"name": "x"}, "`recipe` must be one of y", "NAME must be one of y"),
        ("distill", {"teacher": ("/d/t",)}, "`weights` is bad. Received: /d/t", "--teacher is bad"),
        ("distill", {"teacher": ("/d/t", "/d/u")}, "`path` is bad. Received: /d/u", "--teacher is"),
        ("distill", {"teacher": ("/d/t",), "images": "/d/i", "output": "/d/o"},
         "`folder` is bad. Received: /d/t", "--teacher is bad"),
        ("distill", {"images": "/d/i", "output": "/d/o"},
         "`root` is bad. Received: /d/i", "--images is bad"),
        ("distill", {"teacher": ("/d/t",)}, "`names` are bad. Received: /d/t", "`names` are bad."),
    ],
)  # fmt: skip
def test_arguments_without_an_option_of_their_name(name, given, message, shown):
    assert with_options(message, context_of(name, given)).startswith(shown)


def test_a_message_outside_of_a_command_stays():
    assert with_options("`width` must be good.", None) == "`width` must be good."
