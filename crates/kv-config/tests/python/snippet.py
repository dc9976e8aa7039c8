"""Runs Python of the guide from the standard input, with the service's `store`."""

import ast
import asyncio
import sys

import original


async def main():
    store = original.create_store()
    code = compile(sys.stdin.read(), "<guide>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, {"store": store})
    if made is not None:
        await made
    await store.client.aclose()


asyncio.run(main())
