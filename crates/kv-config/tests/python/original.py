"""A stand-in for the Python original, of our own, with the interface and the habits of its code.

What matters is what it leaves on a server and what it reads there: which keys, which text, which
lifetimes, and in which order.
"""

import asyncio
import datetime
import json
import os
import pickle

import redis.asyncio

# How `pickle` and `json` write: the original leaves both at their defaults.
PICKLE_PROTOCOL = None
JSON_OPTIONS = {"default": str}


def dumps(value, serializer):
    if serializer == "json":
        return json.dumps(value, **JSON_OPTIONS)
    if serializer == "pickle":
        return pickle.dumps(value, PICKLE_PROTOCOL).hex()
    raise ValueError(f"no serializer {serializer!r}")


def loads(text, serializer):
    if serializer == "json":
        return json.loads(text)
    if serializer == "pickle":
        return pickle.loads(bytes.fromhex(text))
    raise ValueError(f"no serializer {serializer!r}")


def whole_seconds(ttl, default):
    if isinstance(ttl, datetime.timedelta):
        return int(ttl.total_seconds())
    return default if ttl is None else ttl


def with_prefix(key, prefix):
    """A colon is put between the two, unless the prefix ends in one or is empty."""
    if prefix and not prefix.endswith(":"):
        prefix += ":"
    return (prefix or "") + key


class Settings:
    """What both stores have. The prefix is kept as it was given, without a colon of its own."""

    def __init__(self, serializer="json", default_ttl=None, key_prefix=""):
        self._serializer, self._default_ttl = serializer, default_ttl
        self._key_prefix = key_prefix or ""

    def _of(self, prefix):
        return self._key_prefix if prefix is None else prefix

    def _whole(self, key, prefix=None):
        return with_prefix(key, self._of(prefix))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class RedisKeyValueStore(Settings):
    def __init__(self, host="localhost", port=6379, db=0, password=None, **settings):
        super().__init__(**settings)
        self._address = {"host": host, "port": port, "db": db, "password": password}
        self._redis = None

    async def _client(self):
        """Connects at the first use, and again after a close."""
        if self._redis is None:
            self._redis = redis.asyncio.Redis(decode_responses=True, **self._address)
            await self._redis.ping()
        return self._redis

    async def put(self, key, value, ttl=None, prefix=None, **_):
        client, text = await self._client(), dumps(value, self._serializer)
        # The default lifetime is not looked at where none is given.
        seconds = None if ttl is None else whole_seconds(ttl, self._default_ttl)
        if seconds is None:
            await client.set(self._whole(key, prefix), text)
        else:
            await client.setex(self._whole(key, prefix), seconds, text)

    async def get(self, key, default=None, prefix=None, **_):
        text = await (await self._client()).get(self._whole(key, prefix))
        return default if text is None else loads(text, self._serializer)

    async def delete(self, key, prefix=None, **_):
        return await (await self._client()).delete(self._whole(key, prefix)) > 0

    async def exists(self, key, prefix=None, **_):
        return await (await self._client()).exists(self._whole(key, prefix)) > 0

    async def range_get(self, start_key, end_key=None, limit=None, prefix=None, **_):
        """Looks at every key under the prefix; all that is in range is read, one by one."""
        client, prefix, found = await self._client(), self._of(prefix), []
        end = with_prefix(end_key, prefix) if end_key else None
        cursor = None
        while cursor != 0:
            cursor, keys = await client.scan(cursor or 0, match=f"{prefix}*", count=100)
            for key in keys:
                name = key[len(prefix) :]
                if name < start_key or (end and key >= end):
                    continue
                text = await client.get(key)
                if text is not None:
                    found.append((name, loads(text, self._serializer)))
                if limit is not None and len(found) >= limit:
                    return sorted(found, key=lambda pair: pair[0])
        return sorted(found, key=lambda pair: pair[0])

    async def get_keys_by_pattern(self, pattern):
        client, found, cursor = await self._client(), [], None
        while cursor != 0:
            match = self._key_prefix + pattern
            cursor, keys = await client.scan(cursor or 0, match=match, count=100)
            found += [key[len(self._key_prefix) :] for key in keys]
        return found

    async def flush_db(self):
        await (await self._client()).flushdb()

    async def get_stats(self):
        info = await (await self._client()).info()
        return {"redis_version": info["redis_version"], "key_prefix": self._key_prefix}

    async def close(self):
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None


class InMemoryKeyValueStore(Settings):
    """The part of it that lifetimes need. `max_size` and the like are taken and ignored."""

    def __init__(self, serializer="json", default_ttl=None, key_prefix="", **_):
        super().__init__(serializer, default_ttl, key_prefix)
        self._texts, self._lifetimes = {}, {}

    async def put(self, key, value, ttl=None, prefix=None, **_):
        whole = self._whole(key, prefix)
        self._texts[whole] = dumps(value, self._serializer)
        self._lifetimes[whole] = whole_seconds(ttl, self._default_ttl)

    async def get(self, key, default=None, prefix=None, **_):
        text = self._texts.get(self._whole(key, prefix))
        return default if text is None else loads(text, self._serializer)

    async def close(self):
        self._texts, self._lifetimes = {}, {}


def number(name, default):
    """What is no integer falls back, and nothing tells."""
    try:
        return int(os.environ.get(f"OC_KV_STORE_{name}", default))
    except ValueError:
        return default


def create_kv_store(store_type=None, config_id=None, serializer=None, default_ttl=None):
    """The store that arguments and variables describe."""

    def text(name, default=None):
        return os.environ.get(f"OC_KV_STORE_{name}") or default

    kind = (store_type or text("TYPE", "redis")).lower()
    prefix = config_id or os.environ.get("OC_CONFIG_ID") or ""
    settings = {
        "serializer": serializer or text("SERIALIZER", "json"),
        "default_ttl": default_ttl or number("DEFAULT_TTL", 3600),
        "key_prefix": prefix,
    }
    if kind == "memory":
        return InMemoryKeyValueStore(**settings)
    if kind != "redis":
        raise ValueError(f"no store {kind!r}")
    settings["key_prefix"] = text("REDIS_KEY_PREFIX") or prefix or "data_fetcher:"
    return RedisKeyValueStore(
        host=text("REDIS_HOST", "localhost"),
        port=number("REDIS_PORT", 6379),
        db=number("REDIS_DB", 0),
        password=text("REDIS_PASSWORD"),
        **settings,
    )


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def days(count):
    return datetime.timedelta(days=count)


class StateManagementManager:
    def __init__(self, store, prefix="state_management"):
        self.store, self.prefix = store, prefix

    async def save_processed_items(self, items, ttl=None):
        await self.store.put(f"{self.prefix}:processed_items", list(items), ttl=ttl or days(7))

    async def load_processed_items(self):
        return set(await self.store.get(f"{self.prefix}:processed_items", []))

    async def save_state(self, state, ttl=None):
        value = {**state, "last_updated": now()}
        await self.store.put(f"{self.prefix}:state", value, ttl=ttl or days(7))

    async def load_state(self):
        return await self.store.get(f"{self.prefix}:state", {})

    async def save_error(self, item_id, error, retry_count=0):
        value = {"item_id": item_id, "error": error, "retry_count": retry_count, "timestamp": now()}
        await self.store.put(f"{self.prefix}:errors:{item_id}", value, ttl=days(1))

    async def get_failed_items(self, max_retries=3):
        found = await self.store.range_get(f"{self.prefix}:errors:")
        values = [value for _, value in found if isinstance(value, dict)]
        return [value for value in values if value.get("retry_count", 0) < max_retries]


class StateTracker:
    def __init__(self, store, prefix="state_tracker"):
        self.store, self.prefix = store, prefix

    async def increment_counter(self, name, amount=1):
        key = f"{self.prefix}:counter:{name}"
        value = await self.store.get(key, 0) + amount
        await self.store.put(key, value, ttl=days(30))
        return value

    async def get_counter(self, name):
        return await self.store.get(f"{self.prefix}:counter:{name}", 0)

    async def record_processing_time(self, operation, duration):
        key = f"{self.prefix}:timing:{operation}"
        value = await self.store.get(key, {"count": 0, "total_time": 0.0})
        value = {"count": value["count"] + 1, "total_time": value["total_time"] + duration}
        await self.store.put(key, {**value, "last_updated": now()}, ttl=days(7))

    async def save_session_info(self, session, info):
        value = {**info, "created_at": now()}
        await self.store.put(f"{self.prefix}:session:{session}", value, ttl=days(1))

    async def update_state(self, more):
        key = f"{self.prefix}:state"
        value = {**await self.store.get(key, {}), **more, "last_updated": now()}
        await self.store.put(key, value, ttl=days(7))


class JSONSerializer:
    """The queue's own, whose text the store then writes as a value."""

    def dumps(self, value):
        return json.dumps(value, default=str)

    def loads(self, text):
        return json.loads(text)


class KVStoreQueue:
    def __init__(self, kv_store, namespace, serializer):
        if not isinstance(namespace, str) or not namespace.strip():
            raise ValueError("a blank namespace")
        self._kv, self._ns, self._ser = kv_store, namespace.strip(), serializer
        self._lock, self._recovered = asyncio.Lock(), False

    def _item(self, number):
        return f"{self._ns}:items:{number}"

    async def _counters(self):
        next_id = await self._kv.get(f"{self._ns}:next_id", default=0)
        return next_id, await self._kv.get(f"{self._ns}:size", default=0)

    async def _write(self, next_id, size):
        await self._kv.put(f"{self._ns}:next_id", next_id)
        await self._kv.put(f"{self._ns}:size", size)

    async def _recover(self):
        """Sets the counters from every key that sorts at or behind the queue's items."""
        if self._recovered:
            return
        next_id, size = await self._counters()
        numbers = []
        for key, _ in await self._kv.range_get(f"{self._ns}:items:"):
            try:
                numbers.append(int(key.split(":")[-1]))
            except ValueError:
                continue
        if not numbers and (next_id or size):
            await self._write(0, 0)
        elif numbers and (min(numbers) != next_id - size or len(numbers) != size):
            await self._write(max(numbers) + 1, len(numbers))
        self._recovered = True

    async def enqueue(self, items):
        await self._recover()
        async with self._lock:
            next_id, size = await self._counters()
            items = list(items)
            for number, item in enumerate(items, next_id):
                await self._kv.put(self._item(number), self._ser.dumps(item))
            await self._write(next_id + len(items), size + len(items))
            return len(items)

    async def dequeue(self, max_items=1):
        await self._recover()
        async with self._lock:
            next_id, size = await self._counters()
            found = []
            for number in range(next_id - size, next_id - size + min(max_items, size)):
                text = await self._kv.get(self._item(number))
                if text is not None:
                    found.append(self._ser.loads(text))
                    await self._kv.delete(self._item(number))
            await self._kv.put(f"{self._ns}:size", size - len(found))
            return found

    async def size(self):
        await self._recover()
        return (await self._counters())[1]

    async def clear(self):
        await self._recover()
        next_id, size = await self._counters()
        for number in range(next_id - size, next_id):
            await self._kv.delete(self._item(number))
        if size:
            await self._write(0, 0)
        return size
