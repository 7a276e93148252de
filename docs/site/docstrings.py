"""Griffe extensions for the API reference."""

import contextlib
import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Treat the section `Example:` as `Examples:`, the form that Griffe supports."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rename the section in a docstring."""
        del kwargs
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )


class FunctionsOverModules(griffe.Extension):
    """Document the function if a package has a function and a file of the same name.

    Griffe would document the file; `keras_osnet._utils.lazy` exports the function.
    """

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Replace modules by the function or class that has their name."""
        del kwargs
        modules = list(_modules(pkg))
        # First resolve the paths that lead through the replaced modules.
        for module in modules:
            for member in module.members.values():
                if member.is_alias:
                    with contextlib.suppress(griffe.AliasResolutionError):
                        member.resolve_target()
        for module in modules:
            for name, member in list(module.members.items()):
                if not member.is_alias and member.is_module and name in member.members:
                    own = member.members[name]
                    if not own.is_alias and not own.is_module:
                        # The paths of the file's classes then lead through the function.
                        own.members.update(
                            (each.name, each)
                            for each in member.members.values()
                            if not each.is_alias and each.is_class
                        )
                        module.members[name] = griffe.Alias(name, target=own, parent=module)


def _modules(module: griffe.Module) -> Any:
    yield module
    for member in module.members.values():
        if not member.is_alias and member.is_module:
            yield from _modules(member)
