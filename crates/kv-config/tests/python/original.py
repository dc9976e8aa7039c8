"""The stores of the Python original as its description has them, in words of our own.

What matters is what they leave on a server: JSON as text, a pickle as its hexadecimal text, a prefix
with a colon before each key, lifetimes in whole seconds.
"""

import datetime
import json
import os
import pickle

import redis.asyncio


class JsonSerializer:
    """Text that people can read, of few types. Some others are turned into those."""

    def serialize(self, value):
        return json.dumps(value, default=self._default).encode()

    def deserialize(self, data):
        return json.loads(data)

    @staticmethod
    def _default(value):
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, (set, frozenset)):
            return sorted(value)
        raise TypeError(f"{type(value).__name__} is not JSON serializable")


class PickleSerializer:
    """Every type of Python's. `protocol` is that of the running Python unless it is set."""

    def __init__(self, protocol=None):
        self.protocol = protocol

    def serialize(self, value):
        return pickle.dumps(value, self.protocol)

    def deserialize(self, data):
        return pickle.loads(data)


class RedisKeyValueStore:
    def __init__(
        self,
        host="localhost",
        port=6379,
        db=0,
        password=None,
        key_prefix="data_fetcher:",
        serializer=None,
        default_ttl=None,
    ):
        self.client = redis.asyncio.Redis(
            host=host, port=port, db=db, password=password, decode_responses=True
        )
        self.key_prefix = key_prefix if key_prefix.endswith(":") else key_prefix + ":"
        self.serializer = serializer or JsonSerializer()
        self.default_ttl = default_ttl

    async def get(self, key):
        text = await self.client.get(self._get_full_key(key))
        return None if text is None else self._value(text)

    async def set(self, key, value, ttl=None):
        ttl, text = ttl or self.default_ttl, self._text(value)
        if ttl:
            await self.client.setex(self._get_full_key(key), ttl, text)
        else:
            await self.client.set(self._get_full_key(key), text)

    async def delete(self, key):
        await self.client.delete(self._get_full_key(key))

    async def exists(self, key):
        return bool(await self.client.exists(self._get_full_key(key)))

    async def keys(self, pattern="*"):
        found = await self.client.keys(self._get_full_key(pattern))
        return [key[len(self.key_prefix) :] for key in found]

    def _get_full_key(self, key):
        return self.key_prefix + key

    def _text(self, value):
        data = self.serializer.serialize(value)
        return data.hex() if isinstance(self.serializer, PickleSerializer) else data.decode()

    def _value(self, text):
        hexadecimal = isinstance(self.serializer, PickleSerializer)
        return self.serializer.deserialize(bytes.fromhex(text) if hexadecimal else text)


def create_store():
    """The store that the variables describe."""

    def variable(name, default=None):
        return os.environ.get(f"OC_KV_STORE_{name}", default)

    assert variable("TYPE") == "redis"
    ttl = variable("DEFAULT_TTL")
    return RedisKeyValueStore(
        host=variable("REDIS_HOST", "localhost"),
        port=int(variable("REDIS_PORT", "6379")),
        db=int(variable("REDIS_DB", "0")),
        password=variable("REDIS_PASSWORD"),
        key_prefix=variable("REDIS_KEY_PREFIX", "data_fetcher:"),
        serializer=PickleSerializer() if variable("SERIALIZER") == "pickle" else JsonSerializer(),
        default_ttl=int(ttl) if ttl else None,
    )
