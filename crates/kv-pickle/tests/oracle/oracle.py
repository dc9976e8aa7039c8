#!/usr/bin/env python3
"""Pickles of random values, and what Python says of the pickles of others.

    python3 oracle.py write SEED COUNT    writes pickles of random values, one a line
    python3 oracle.py read SEED           reads pickles from the standard input, and pickles again
    python3 oracle.py judge               says of any bytes from the standard input what they are

A line is fields between tabs; pickles are hexadecimal text, values the texts of `normal.py`.
"""

import codecs
import collections
import datetime
import decimal
import enum
import fractions
import io
import ipaddress
import pickle
import pickletools
import random
import sys
import uuid

from normal import describe

BEYOND = 2**128


class Colour(enum.Enum):
    RED = 1


class Plain:
    def __init__(self):
        self.text = "state"


class Zone(datetime.tzinfo):
    def utcoffset(self, when):
        return datetime.timedelta(hours=1)


# What is no data, or none that Rust can hold: it must be refused, wherever it stands.
REFUSED = [
    lambda r: r.choice([BEYOND, -BEYOND, BEYOND**3, -(2**127) - 1, 2**r.randrange(129, 3000)]),
    lambda r: r.choice(["\ud800", "a\udfffb", "\ude00\ud83d"]),
    lambda r: complex(1, 2),
    lambda r: collections.OrderedDict(a=1),
    lambda r: collections.defaultdict(list, a=[1]),
    lambda r: collections.deque([1]),
    lambda r: collections.Counter("ab"),
    lambda r: fractions.Fraction(1, 3),
    lambda r: uuid.UUID(int=r.getrandbits(128)),
    lambda r: ipaddress.ip_address("127.0.0.1"),
    lambda r: Colour.RED,
    lambda r: Plain(),
    lambda r: ValueError("text"),
    lambda r: r.choice([int, len, dict, set, datetime.datetime, Plain, Colour]),
    lambda r: r.choice([range(3), Ellipsis, NotImplemented, type(None)]),
    lambda r: datetime.datetime(2024, 1, 1, tzinfo=Zone()),
    lambda r: itself(),
    lambda r: nested(r.randrange(128, 400)),
]


def itself():
    value = [1]
    value.append({"again": value})
    return value


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


class Writer:
    """Random values. Some are there more than once, as the same object."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.known = []

    def whole(self):
        self.known = []
        return self.value()

    def value(self, depth=3):
        r = self.random
        if self.known and r.random() < 0.15:
            return r.choice(self.known)
        kinds = [self.scalar] * 3 + [self.moment] + [self.container] * (3 if depth else 0)
        made = r.choice(kinds)(depth)
        if r.random() < 0.2:
            self.known = self.known[-8:] + [made]
        return made

    def scalar(self, _=0):
        r = self.random
        return r.choice([self.integer, self.floating, self.text, self.bytes, self.constant])()

    def constant(self):
        return self.random.choice([None, True, False])

    def integer(self):
        r = self.random
        bits = r.choice([3, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128])
        edge = 1 << bits
        number = r.choice([r.getrandbits(bits), edge, edge - 1, edge + 1, r.getrandbits(8)])
        number *= r.choice([1, 1, -1])
        return number if -(2**127) <= number < BEYOND else r.getrandbits(bits)

    def floating(self):
        r = self.random
        edges = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7e308, 0.1, 1e16]
        return r.choice([r.random(), r.gauss(0, 1e9), r.choice(edges), float(r.getrandbits(60))])

    def text(self):
        r = self.random
        letters = r.choice(["ab", "aä€😀\U0010ffff", "\x00\n\r\t\x1a\x7f\x80\xff\\'\"uU", "\\u0041N"])
        length = r.choice([0, 1, 5, 5, 20, 255, 256] if r.random() < 0.3 else [1, 3, 8])
        return "".join(r.choices(letters, k=length))

    def bytes(self):
        r = self.random
        made = r.randbytes(r.choice([0, 1, 4, 4, 20, 255, 256, 300]))
        return r.choice([bytes, bytes, bytearray])(made)

    def zone(self):
        r = self.random
        if r.random() < 0.4:
            return None
        minutes = datetime.timedelta(minutes=r.randrange(-1439, 1440))
        odd = datetime.timedelta(microseconds=r.randrange(-86_399_999_999, 86_400_000_000))
        offset = r.choice([minutes, minutes, odd, datetime.timedelta(0)])
        return r.choice([datetime.timezone(offset), datetime.timezone(offset, "named")])

    def moment(self, _=0):
        r = self.random
        day = datetime.date.fromordinal(r.randrange(1, datetime.date.max.toordinal() + 1))
        micro = r.choice([0, r.randrange(1_000_000)])
        clock = datetime.time(r.randrange(24), r.randrange(60), r.randrange(60), micro, self.zone())
        clock = clock.replace(fold=r.randrange(2))
        days = r.choice([0, 0, r.randrange(-999_999_999, 1_000_000_000)])
        span = datetime.timedelta(days, r.choice([0, r.randrange(86_400)]), micro)
        number = decimal.Decimal(r.choice(["NaN", "-0", "sNaN", "Infinity", str(r.gauss(0, 1)), "1E+999"]))
        both = datetime.datetime.combine(day, clock)
        return r.choice([day, clock, both, both, span, number, clock.tzinfo])

    def hashable(self, depth):
        r = self.random
        if depth and r.random() < 0.2:
            made = [self.hashable(depth - 1) for _ in range(r.randrange(4))]
            return r.choice([tuple, frozenset])(made)
        while True:
            made = r.choice([self.scalar, self.moment])()
            signalling = isinstance(made, decimal.Decimal) and made.is_snan()
            if not signalling and not isinstance(made, bytearray):
                return made

    def container(self, depth):
        r = self.random
        length = r.choice([0, 1, 2, 3, 4, 5]) if r.random() < 0.99 else r.randrange(990, 1010)
        if length > 100:
            depth, item = 0, self.constant
        else:
            item = lambda: self.value(depth - 1)  # noqa: E731
        kind = r.choice([list, list, tuple, dict, dict, set, frozenset])
        if kind is dict:
            return {self.hashable(1): item() for _ in range(length)}
        if kind in (set, frozenset):
            return kind(self.hashable(1) for _ in range(length))
        return kind(item() for _ in range(length))

    def spoilt(self):
        """A value with something in it that must be refused."""
        made = self.random.choice(REFUSED)(self.random)
        for _ in range(self.random.randrange(3)):
            made = self.random.choice([lambda v: [1, v], lambda v: {"k": v}, lambda v: (v, None)])(made)
        return made


def dump(value, r, protocol):
    """A pickle by Python's fast pickler, its slow one, or the fast one with an optimiser."""
    kind = r.randrange(5)
    if kind == 0:
        return pickle._dumps(value, protocol)
    pickled = pickle.dumps(value, protocol)
    return pickletools.optimize(pickled) if kind == 1 else pickled


def write(seed, count):
    writer = Writer(seed)
    for _ in range(count):
        spoilt = writer.random.random() < 0.05
        value = writer.spoilt() if spoilt else writer.whole()
        protocol = writer.random.randrange(6)
        text = "refused" if spoilt else describe(value)
        print(protocol, dump(value, writer.random, protocol).hex(), text, sep="\t")


def read(seed):
    r = random.Random(seed)
    for line in sys.stdin:
        value = pickle.loads(bytes.fromhex(line))
        print(describe(value, "()"), dump(value, r, r.randrange(6)).hex(), sep="\t")


class Pairs(dict):
    """A dict that shows every pair that it was given, also those with the same key."""

    def __init__(self):
        self.pairs = []

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.pairs.append((key, value))

    def items(self):
        return self.pairs


class Items(set):
    """A set that shows every item that it was given, in the order in which it was."""

    def __init__(self, items=()):
        self.given = []
        self.update(items)

    def update(self, items):
        items = list(items)
        super().update(items)
        self.given += items

    def __iter__(self):
        return iter(self.given)


class FrozenItems(frozenset):
    def __new__(cls, items=()):
        items = tuple(items)
        self = super().__new__(cls, items)
        self.given = items
        return self

    def __iter__(self):
        return iter(self.given)


def data(kind):
    """`bytes` or `bytearray` of what pickles give them: from a number they would make zeros."""

    def make(*arguments):
        if any(isinstance(argument, int) for argument in arguments):
            raise pickle.UnpicklingError("a length is no data")
        return kind(*arguments)

    return make


def number(text):
    """A decimal's text as it stands in the pickle, which is what `str` makes of it."""
    decimal.Decimal(text)
    return text


class Careful(pickle._Unpickler):
    """Makes data, and nothing else. The slow unpickler keeps its memo in a dict, so that a huge
    number of a reference costs no memory."""

    KNOWN = {
        ("builtins", "set"): Items,
        ("builtins", "frozenset"): FrozenItems,
        ("builtins", "bytes"): data(bytes),
        ("builtins", "bytearray"): data(bytearray),
        ("_codecs", "encode"): codecs.encode,
        ("datetime", "datetime"): datetime.datetime,
        ("datetime", "date"): datetime.date,
        ("datetime", "time"): datetime.time,
        ("datetime", "timedelta"): datetime.timedelta,
        ("datetime", "timezone"): datetime.timezone,
        ("decimal", "Decimal"): number,
    }
    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        if module == "__builtin__":
            module = "builtins"
        return self.KNOWN[module, name]

    def load_empty_dictionary(self):
        self.append(Pairs())

    def load_dict(self):
        items, pairs = self.pop_mark(), Pairs()
        for at in range(0, len(items), 2):
            pairs[items[at]] = items[at + 1]
        self.append(pairs)

    def load_empty_set(self):
        self.append(Items())

    def load_frozenset(self):
        items = self.pop_mark()
        self.append(FrozenItems(items))

    def load_bytearray8(self):
        # Python's own makes room for a length that may lie before it reads.
        length = int.from_bytes(self.read(8), "little")
        made = bytearray(self.read(length))
        if len(made) < length:
            raise EOFError
        self.append(made)

    dispatch[pickle.EMPTY_DICT[0]] = load_empty_dictionary
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.EMPTY_SET[0]] = load_empty_set
    dispatch[pickle.FROZENSET[0]] = load_frozenset
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def judge():
    for line in sys.stdin:
        try:
            file = io.BytesIO(bytes.fromhex(line))
            text = describe(Careful(file).load())
            print("followed" if file.read(1) else text)
        except Exception as error:
            print("refused", type(error).__name__, str(error).replace("\n", " ")[:80])


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    verb, *numbers = sys.argv[1:]
    {"write": write, "read": read, "judge": judge}[verb](*map(int, numbers))
