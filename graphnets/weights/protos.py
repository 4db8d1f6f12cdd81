"""Message classes for other tools' protobuf files, with the few fields that are needed."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Mapping
from typing import Any, BinaryIO

from graphnets.files import held
from graphnets.weights import wire

# {message: {field: (number, type)}}: a type is protobuf's ("int64", "bytes", ...) or another
# message's name, with a * where the field is repeated.
Messages = Mapping[str, Mapping[str, tuple[int, str]]]


def message_class(messages: Messages, name: str) -> type:
    """The class of the message `name` (proto2); other fields in a file are passed over.

    Repeated numbers that a file packs can be declared as "bytes*": then they come as they lie in
    the file, not as Python's numbers.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="part.proto", package="p", syntax="proto2")
    for message, fields in messages.items():
        descriptor = file.message_type.add(name=message)
        for field_name, (number, kind) in fields.items():
            added = descriptor.field.add(name=field_name, number=number)
            added.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
            kind = kind.removesuffix("*")
            if kind in messages:
                added.type, added.type_name = field.TYPE_MESSAGE, f".p.{kind}"
            else:
                added.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"p.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    return message_factory.MessageFactory(pool).GetPrototype(found)  # protobuf 3


def parsed(message: type, data: wire.Bytes) -> Any:
    """The message that the bytes hold. Raises ValueError if they hold none, or far too many."""
    from google.protobuf.message import DecodeError

    found: Any = message()
    wire.check(data, found.DESCRIPTOR)
    problem = ""
    try:
        found.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:  # the latter of protobuf 3
        problem = str(error)
    if problem:  # raised here, as the error of protobuf 3 holds on to the data
        raise ValueError(problem)
    return found


def parsed_file(message: type, path: str | os.PathLike[str]) -> Any:
    """The message that a file holds. Raises OSError, and ValueError as `parsed_from` does."""
    with open(path, "rb") as file:
        return parsed_from(message, file)


def parsed_from(message: type, file: BinaryIO) -> Any:
    """The message that an open file holds, read without a second copy of it in memory.

    Raises OSError, and ValueError if the file is empty, or as `parsed` does.
    """
    status = os.fstat(file.fileno())
    wire.check_size(status.st_size, held(status))
    if stat.S_ISFIFO(status.st_mode):
        return parsed(message, file.read(wire.LARGEST))
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
        return parsed(message, view)
