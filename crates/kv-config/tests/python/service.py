"""A Python service that shares a server with one in Rust, and does what it is told.

Each line of the standard input is an expression as a JSON text; the answer is a line with `=` and its
`repr`, or `!` and the error. `store` is the original's store on the variables of this process, and
`client` a client beside it, to look at what is stored.
"""

import ast
import asyncio
import collections
import dataclasses
import datetime
import decimal
import json
import sys
import uuid

import original
import redis.asyncio
import work


@dataclasses.dataclass
class Page:
    url: str


NAMES = {
    "collections": collections,
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "timezone": datetime.timezone,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "Page": Page,
    "inf": float("inf"),
    "nan": float("nan"),
    "original": original,
    "work": work,
}


async def answer(text, names):
    try:
        code = compile(text, "<line>", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, names)
        return f"={await value if asyncio.iscoroutine(value) else value!r}"
    except Exception as error:
        return f"!{type(error).__name__}: {error}".replace("\n", " ")


async def main():
    store = original.create_kv_store()
    client = redis.asyncio.Redis(decode_responses=True, **store._address)
    names = dict(NAMES, store=store, client=client, full=store._whole)
    for line in sys.stdin:
        print(await answer(json.loads(line), names), flush=True)
    await store.close()
    await client.aclose()


asyncio.run(main())
