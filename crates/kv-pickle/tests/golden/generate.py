#!/usr/bin/env python3
"""Writes `read.tsv`, pickles of this Python, and checks `written.tsv`, pickles of ours.

    python3 generate.py          writes read.tsv
    python3 generate.py check    checks that Python reads written.tsv as the values that it says

`read.tsv` has a line for each value and protocol: a name, the protocol, the hexadecimal text of
the pickle, and the value as a text that the tests work out on their own (`../oracle/normal.py`).

`written.tsv` has a line for each value: a name, what `kv_pickle::Pickle` writes, and the `repr` of
what Python must read from it. The tests compare what is written with it byte for byte.
"""

import datetime
import decimal
import pathlib
import pickle
import sys

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "oracle"))

from normal import describe  # noqa: E402

INDIA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
ODD = datetime.timezone(-datetime.timedelta(hours=1, seconds=2, microseconds=3), "odd")

SHARED = ["shared"]
TWICE = {"text": "interned", "list": SHARED}

VALUES = {
    "none": None,
    "true": True,
    "false": False,
    "integers": [0, 1, -1, 127, 128, 255, 256, 65535, 65536, -128, -129, -32769],
    "integers_at_32_bits": [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32],
    "integers_at_64_bits": [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1],
    "integers_at_128_bits": [2**127 - 1, -(2**127), 2**127, 2**128 - 1],
    "floats": [0.0, -0.0, 0.1, -1.5, 1e300, 5e-324, float("inf"), float("-inf"), float("nan")],
    "empty_text": "",
    "ascii": "plain",
    "unicode": "äöü €\u2028 😀 \U0010ffff",
    "control": "\x00\x01\n\r\t\x1a\\ \\u0041 \\n 'quoted' \"twice\"\x7f\x80\xff",
    "long_text": "long " * 60,
    "bytes": b"\x00\x01abc\x7f\x80\xff\n\\",
    "empty_bytes": b"",
    "long_bytes": bytes(range(256)) * 2,
    "bytearray": bytearray(b"\x00array\xff"),
    "empty_bytearray": bytearray(),
    "empty_list": [],
    "list": [1, "a", None, [2, [3, []]]],
    "long_list": [None] * 1100,
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
    "empty_dict": {},
    "dict": {"a": 1, "b": {"c": [True, None]}, "": ""},
    "long_dict": {number: None for number in range(1100)},
    "keys": {1: "int", (1, "a"): "tuple", None: "none", b"k": "bytes", 2.5: "float"},
    "sets": [set(), {1}, {1, 2, 3}, {"a"}],
    "frozensets": [frozenset(), frozenset({1, 2}), {frozenset({3})}],
    "shared": [TWICE, TWICE, SHARED, "interned", ["interned"], (SHARED, SHARED)],
    "many_references": [[number, number] for number in map(str, range(150))],
    "datetime": datetime.datetime(2024, 2, 29, 23, 59, 58, 123456),
    "datetime_whole": datetime.datetime(1, 1, 1),
    "datetime_last": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
    "datetime_fold": datetime.datetime(2024, 10, 27, 2, 30, fold=1),
    "datetime_utc": datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
    "datetime_zones": [
        datetime.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=zone) for zone in (INDIA, ODD, INDIA)
    ],
    "date": datetime.date(2024, 2, 29),
    "dates": [datetime.date.min, datetime.date.max],
    "times": [
        datetime.time(),
        datetime.time(1, 2, 3, 4),
        datetime.time(23, 59, tzinfo=INDIA),
        datetime.time(2, 30, fold=1),
    ],
    "timedeltas": [
        datetime.timedelta(),
        datetime.timedelta(seconds=1),
        datetime.timedelta(days=1),
        datetime.timedelta(days=3, hours=1, microseconds=5),
        datetime.timedelta(seconds=-1),
        datetime.timedelta(microseconds=-1),
        datetime.timedelta.min,
        datetime.timedelta.max,
    ],
    "timezones": [datetime.timezone.utc, INDIA, ODD],
    "decimals": [decimal.Decimal("1.50"), decimal.Decimal("-1E+400"), decimal.Decimal("NaN")],
    "everything": {
        "name": "page",
        "visited": datetime.datetime(2024, 1, 2, 3, 4, 5),
        "tags": {"a"},
        "body": b"<html>",
        "score": 0.5,
        "links": [("https://a.example", 200), ("https://b.example", None)],
    },
}


def generate():
    lines = [
        "\t".join([name, str(protocol), pickle.dumps(value, protocol).hex(), describe(value)])
        for name, value in VALUES.items()
        for protocol in range(6)
    ]
    (HERE / "read.tsv").write_text("\n".join(lines) + "\n")
    print(f"read.tsv: {len(lines)} pickles of {len(VALUES)} values")


def check():
    lines = (HERE / "written.tsv").read_text().splitlines()
    for line in lines:
        name, text, expected = line.split("\t")
        found = repr(pickle.loads(bytes.fromhex(text)))
        if found != expected:
            sys.exit(f"{name}: Python reads {found}, not {expected}")
    print(f"written.tsv: Python reads all {len(lines)} values as they should be")


if sys.argv[1:] == ["check"]:
    check()
else:
    generate()
