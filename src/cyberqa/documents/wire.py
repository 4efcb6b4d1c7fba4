"""What goes through the pipe between the parent and a worker: frames, and readings as JSON.

A worker has parsed hostile bytes, so that its word is checked: types, spans within the text, order. Pickle would run
what it is told to.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, BinaryIO

from cyberqa.documents.reading import Reading
from cyberqa.types import JSON, Block, Page, Span

READY = b"ready"
"""The first frame of a worker."""

_LENGTH_BYTES = 8
_INT_LIMIT = 1 << 63  # what SQLite takes: beyond it writing the index would fail for all documents

_Unpack = Callable[[Any, int], Any]
"""A value as it came and the length of the text that its spans must lie in -> the value."""


class OverlongFrameError(Exception):
    """A frame announces more bytes than are allowed."""


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Write eight bytes of length, big-endian, and the data."""
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "big"))
    stream.write(data)
    stream.flush()


def read_frame(stream: BinaryIO, max_bytes: int) -> bytes:
    """Read one frame.

    Raises:
        EOFError: the stream ends before the frame does.
        OverlongFrameError: it announces more than ``max_bytes``; they have not been read.
    """
    header = stream.read(_LENGTH_BYTES)
    length = int.from_bytes(header, "big")
    if len(header) == _LENGTH_BYTES and length > max_bytes:
        raise OverlongFrameError(f"{length} bytes")
    data = stream.read(length)
    if len(header) < _LENGTH_BYTES or len(data) < length:
        raise EOFError
    return data


def pack_reading(reading: Reading) -> JSON:
    """Return a reading as JSON; what it consists of becomes lists of field values."""
    return {field.name: _packed(getattr(reading, field.name)) for field in dataclasses.fields(Reading)}


def _packed(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return [_packed(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return [_packed(item) for item in value] if isinstance(value, list | tuple) else value


def unpack_reading(body: Any) -> Reading:
    """Return the reading that :func:`pack_reading` packed.

    Raises:
        ValueError: anything else: a field missing, unknown or of another type, a span outside the text, blocks or
            pages that overlap, or characters that cannot be written as UTF-8.
    """
    kinds = _field_kinds(Reading)
    if not isinstance(body, dict) or body.keys() != kinds.keys() or not isinstance(body["text"], str):
        raise ValueError("it is no reading")
    length = len(body["text"])
    reading = Reading(**{name: _unpacker(kind)(body[name], length) for name, kind in kinds.items()})
    _check_order(reading.blocks)
    _check_order(reading.pages)
    return reading


def _check_order(parts: Sequence[Block | Page]) -> None:
    ends = [0, *(part.span.end for part in parts)]
    if any(part.span.start < end for part, end in zip(parts, ends, strict=False)):
        raise ValueError("its parts overlap")


@cache
def _field_kinds(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _unpacker(kind: Any) -> _Unpack:
    """Return what checks and converts a value of one annotated type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, tuple):
        return _sequence(origin, _unpacker(arguments[0]))
    if origin is types.UnionType:
        optional = _unpacker(next(argument for argument in arguments if argument is not types.NoneType))
        return lambda value, length: None if value is None else optional(value, length)
    if dataclasses.is_dataclass(kind):
        return _span if kind is Span else _fields(kind)
    if issubclass(kind, StrEnum):
        return lambda value, _: kind(value)
    return _scalar(kind)


def _sequence(origin: Callable[[list[Any]], Any], unpack: _Unpack) -> _Unpack:
    def sequence(value: Any, length: int) -> Any:
        _expect(value, list)
        return origin([unpack(item, length) for item in value])

    return sequence


def _fields(kind: Any) -> _Unpack:
    unpackers = [_unpacker(part) for part in _field_kinds(kind).values()]

    def fields(value: Any, length: int) -> Any:
        _expect(value, list)
        return kind(*(unpack(part, length) for unpack, part in zip(unpackers, value, strict=True)))

    return fields


def _span(value: Any, length: int) -> Span:
    _expect(value, list)
    start, end = value
    _expect(start, int)
    _expect(end, int)
    if not 0 <= start <= end <= length:
        raise ValueError(f"the span {start}:{end} is not within its {length} characters")
    return Span(start, end)


def _scalar(kind: type) -> _Unpack:
    def scalar(value: Any, _: int) -> Any:
        _expect(value, kind)
        if kind is str:
            value.encode("utf-8")  # half a surrogate pair is no character: UnicodeEncodeError is a ValueError
        if kind is int and not -_INT_LIMIT <= value < _INT_LIMIT:
            raise ValueError(f"a number of {value.bit_length()} bits")
        return value

    return scalar


def _expect(value: Any, kind: type) -> None:
    if type(value) is not kind:  # True is no number here
        raise ValueError(f"expected {kind.__name__}, found {type(value).__name__}")
