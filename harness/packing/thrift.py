"""Thrift's compact protocol, as far as Parquet's headers and footers need it: values in, bytes out.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any


class Long(int):
    """A whole number of 64 bits; a plain int has 32."""


KINDS: dict[type[Any], int] = {int: 5, Long: 6, str: 8, list: 9, dict: 12}  # code of each type
SHORT = 15  # lists of fewer elements, and steps between fields up to this, share a byte with the type


def encoded(value: Any) -> bytes:
    """A value of one of `KINDS`: a dict is a struct, its fields by number in rising order; a list is not empty."""
    if isinstance(value, dict):
        return _struct(value)
    if isinstance(value, list):
        kind = KINDS[type(value[0])]
        head = bytes([len(value) << 4 | kind]) if len(value) < SHORT else bytes([0xF0 | kind]) + varint(len(value))
        return head + b"".join(map(encoded, value))
    if isinstance(value, str):
        text = value.encode()
        return varint(len(text)) + text
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _struct(fields: dict[int, Any]) -> bytes:
    parts, last = [], 0
    for number, value in fields.items():
        if not 0 < number - last <= SHORT:
            raise ValueError(f"field {number} after {last}: fields rise in steps of at most {SHORT}")
        parts += [bytes([(number - last) << 4 | KINDS[type(value)]]), encoded(value)]
        last = number
    return b"".join([*parts, b"\0"])


def varint(value: int) -> bytes:
    """A number from 0 on in groups of seven bits, the lowest first."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
