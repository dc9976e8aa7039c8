"""A value as a text, which the tests in Rust work out on their own."""

import datetime
import decimal
import struct


def duration(value):
    """An ISO 8601 duration in days and seconds."""
    sign, value = ("-" if value < datetime.timedelta() else ""), abs(value)
    text = f"{value.days}D" if value.days else ""
    if value % datetime.timedelta(days=1) or not value.days:
        fraction = f".{value.microseconds:06}" if value.microseconds else ""
        text += f"T{value.seconds}{fraction}S"
    return f"{sign}P{text}"


def describe(value, tuples="[]"):
    """The value as a text, alike for what serde does not tell apart.

    With `tuples` as `()` it does tell a tuple from a list.
    """

    def items(values, brackets):
        opened, closed = brackets
        return opened + ",".join(describe(item, tuples) for item in values) + closed

    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return "f" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "t" + value.encode().hex()
    if isinstance(value, (bytes, bytearray)):
        return "b" + value.hex()
    if isinstance(value, tuple):
        return items(value, tuples)
    if isinstance(value, (list, set, frozenset)):
        return items(value, "[]")
    if isinstance(value, dict):
        pairs = (f"{describe(k, tuples)}:{describe(v, tuples)}" for k, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, datetime.timedelta):
        return describe(duration(value))
    if isinstance(value, datetime.timezone):
        return describe(datetime.time(tzinfo=value).isoformat()[8:])
    if isinstance(value, decimal.Decimal):
        return describe(str(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return describe(value.isoformat())
    raise TypeError(f"{type(value).__name__} has no text")
