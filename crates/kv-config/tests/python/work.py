"""What a Python service does while one in Rust does the same, on the same keys."""

import redis


async def add(store, key, times):
    """Adds one so often to a number, each time only to the number that it saw."""
    full = store._get_full_key(key)
    for _ in range(times):
        async with store.client.pipeline() as pipe:
            while not await attempt(store, pipe, full):
                pass


async def attempt(store, pipe, full):
    await pipe.watch(full)
    text = await pipe.get(full)
    number = store._value(text) if text else 0
    pipe.multi()
    pipe.set(full, store._text(number + 1))
    try:
        await pipe.execute()
        return True
    except redis.WatchError:
        return False


async def claim(store, keys):
    """Takes each key that nobody has; how many it got."""
    won = 0
    for key in keys:
        text = store._text("python")
        won += bool(await store.client.set(store._get_full_key(key), text, nx=True, ex=60))
    return won


async def count(store, key, times):
    """Counts in a counter of Rust's, which is a plain number to the server."""
    for _ in range(times):
        await store.client.incr(f"{store.key_prefix}!kv:counter:{key}")


async def scribble(store, keys, times):
    """Writes whole values over others', and reads them; how many were not whole."""
    torn = 0
    for number in range(times):
        for key in keys:
            await store.set(key, {"by": "python", "items": [number] * (number % 50)}, ttl=60)
            value = await store.get(key)
            torn += len(set(value["items"])) > 1
    return torn
