"""Direct answers (pihub/_core/include/ph_direct.h) from Python: both sides of the capsule."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

NAME = b"pihub.direct.1"
FIELDS = 32


class Text(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("len", ctypes.c_size_t))

    def get(self) -> bytes:
        return ctypes.string_at(self.at, self.len) if self.at else b""


class Field(ctypes.Structure):
    _fields_ = (("name", Text), ("value", Text))


class AskStruct(ctypes.Structure):
    _fields_ = (
        ("path", Text),
        ("body", Text),
        ("n_fields", ctypes.c_size_t),
        ("field", Field * FIELDS),
    )


class AnswerStruct(ctypes.Structure):
    _fields_ = (("line", Text), ("rest", Text))


FUNCTION = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(AskStruct), ctypes.POINTER(AnswerStruct)
)


class Face(ctypes.Structure):
    _fields_ = (("self", ctypes.c_void_p), ("answer", FUNCTION))


@dataclass(frozen=True)
class Ask:
    """What the server hands over."""

    path: bytes
    body: bytes
    fields: tuple[tuple[bytes, bytes], ...]


class Offer:
    """The application's side: `answer` gets an Ask, and gives (status line, rest) or None."""

    def __init__(self, answer: Callable[[Ask], tuple[bytes, bytes] | None]) -> None:
        self._kept: tuple[ctypes.Array[ctypes.c_char], ...] = ()

        def call(_: int, said: object, out: object) -> int:
            ask = said.contents  # type: ignore[attr-defined]
            fields = [(f.name.get(), f.value.get()) for f in ask.field[: ask.n_fields]]
            got = answer(Ask(ask.path.get(), ask.body.get(), tuple(fields)))
            if got is None:
                return 0
            self._kept = tuple(ctypes.create_string_buffer(part, len(part)) for part in got)
            for to, part in zip(("line", "rest"), self._kept, strict=True):
                # not ctypes.cast: its cycles would keep each answer until a collection
                where = Text(ctypes.addressof(part), len(part))
                setattr(out.contents, to, where)  # type: ignore[attr-defined]
            return 1

        self._face = Face(None, FUNCTION(call))
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.capsule = new(ctypes.addressof(self._face), NAME, None)


def ask_capsule(
    capsule: object, path: bytes, fields: list[tuple[bytes, bytes]], body: bytes
) -> tuple[bytes, bytes] | None:
    """The server's side: (status line, rest), None if the application says no."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype = ctypes.c_void_p
    pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
    face = Face.from_address(pointer(capsule, NAME))
    kept: list[ctypes.Array[ctypes.c_char]] = []

    def text(part: bytes) -> Text:
        kept.append(ctypes.create_string_buffer(part, len(part)))
        return Text(ctypes.addressof(kept[-1]), len(part))

    ask = AskStruct(text(path), text(body), len(fields))
    for i, (name, value) in enumerate(fields):
        ask.field[i] = Field(text(name), text(value))
    out = AnswerStruct()
    if not face.answer(face.self, ctypes.byref(ask), ctypes.byref(out)):
        return None
    return out.line.get(), out.rest.get()
