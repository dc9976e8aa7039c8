"""What a Python service does while one in Rust does the same, on the same keys."""

import original
import redis


async def add(store, client, key, times):
    """Adds one so often to a number, each time only to the number that it saw."""
    for _ in range(times):
        async with client.pipeline() as pipe:
            while not await attempt(store, pipe, store._whole(key)):
                pass


async def attempt(store, pipe, full):
    await pipe.watch(full)
    text = await pipe.get(full)
    number = original.loads(text, store._serializer) if text else 0
    pipe.multi()
    pipe.set(full, original.dumps(number + 1, store._serializer))
    try:
        await pipe.execute()
        return True
    except redis.WatchError:
        return False


async def claim(store, client, keys):
    """Takes each key that nobody has; how many it got."""
    won = 0
    for key in keys:
        text = original.dumps("python", store._serializer)
        won += bool(await client.set(store._whole(key), text, nx=True, ex=60))
    return won


async def count(store, client, key, times):
    """Counts in a counter of Rust's, which is a plain number to the server."""
    for _ in range(times):
        await client.incr(store._whole(f"!kv:counter:{key}"))


async def scribble(store, keys, times):
    """Writes whole values over others', and reads them; how many were not whole."""
    torn = 0
    for number in range(times):
        for key in keys:
            await store.put(key, {"by": "python", "items": [number] * (number % 50)}, ttl=60)
            value = await store.get(key)
            torn += len(set(value["items"])) > 1
    return torn
