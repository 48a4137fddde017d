"""Modules that libraries import and a hub does not use: loaded at their first use, if ever.

Each process of the hub is a copy of one that has imported everything. These would be 3 MB of it
and a tenth of its start: tables of HTML's entities, archives, XML, an event loop.

Not importlib.util.LazyLoader: the import statement itself asks for `__spec__`, and that loads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

UNUSED = ("html", "importlib.metadata", "xml.etree.ElementTree", "difflib")
"""The first two gunicorn imports (for its pages of errors and its plug-ins), the third Falcon (for
errors in XML), the last we (for faults)."""


class Deferred(ModuleType):
    """Stands in `sys.modules` for a module until one of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            sys.modules.pop(self.__name__, None)
        return getattr(import_module(self.__name__), name)

    def stand_in(self) -> None:
        """Unless the module is loaded."""
        if self.__name__ in sys.modules:
            return
        parent, _, last = self.__name__.rpartition(".")
        if parent:  # `import a.b` finds it in sys.modules, and then does not set a's attribute
            setattr(import_module(parent), last, self)
        sys.modules[self.__name__] = self


class DeferredAsyncio(Deferred):
    """Falcon's half for ASGI wraps two functions when it is imported, and makes a Runner if the
    Python has one; each line of the log asks for the current task. While this stands, no loop can
    run, and to say so is the answer of all three."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            if name == "Runner":
                raise AttributeError(name)
            if name in ("create_task", "current_task", "get_running_loop"):
                return self._of_a_loop(name)
        return super().__getattr__(name)

    def _of_a_loop(self, name: str) -> Callable[..., Any]:
        def later(*args: Any, **kwargs: Any) -> Any:
            if sys.modules.get(self.__name__) is self:
                raise RuntimeError("no running event loop")
            return getattr(import_module(self.__name__), name)(*args, **kwargs)

        later.__name__ = later.__qualname__ = name
        return later


def defer() -> None:
    """Before anything that imports them."""
    for name in UNUSED:
        Deferred(name).stand_in()
    DeferredAsyncio("asyncio").stand_in()
