"""Runs Python of the guide from the standard input, with the service's `store`, a client and the
original's classes."""

import ast
import asyncio
import sys

import original
import redis.asyncio


async def main():
    store = original.create_kv_store()
    client = redis.asyncio.Redis(decode_responses=True, **store._address)
    names = {**vars(original), "store": store, "client": client}
    code = compile(sys.stdin.read(), "<guide>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, names)
    if made is not None:
        await made
    await store.close()
    await client.aclose()


asyncio.run(main())
