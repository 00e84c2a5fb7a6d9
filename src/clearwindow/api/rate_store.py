"""The store in which several processes count requests together: Redis, Valkey or Memcached, by ``limits``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from limits.errors import ConfigurationError, StorageError
from limits.storage import MemcachedStorage, RedisStorage, Storage

from clearwindow.api.limits import StoreAwayError

SCHEMES: Final = ("redis", "rediss", "redis+unix", "memcached")
TIMEOUT_SECONDS: Final = 0.25
_KEYS: Final = "clearwindow"


class LimitsStore:
    """A ``SharedStore`` by the library ``limits``."""

    def __init__(self, storage: Storage, close: Callable[[], None]) -> None:
        self._storage = storage
        self.close = close
        """Closes the connections."""

    def add(self, key: str, window_seconds: int) -> tuple[int, float]:
        with _errors():
            count = self._storage.incr(f"{_KEYS}:{key}", window_seconds)
            return count, self._left_seconds(key)

    def read(self, key: str) -> tuple[int, float]:
        with _errors():
            count = self._storage.get(f"{_KEYS}:{key}")
            return count, self._left_seconds(key) if count else 0

    def _left_seconds(self, key: str) -> float:
        left: float = self._storage.get_expiry(f"{_KEYS}:{key}") - time.time()
        return left


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (StorageError, OSError) as error:
        # pymemcache lets the errors of sockets through. The kind alone: a text may repeat the address.
        raise StoreAwayError(type(error.__cause__ or error).__name__) from error


def opened_store(address: str, timeout_seconds: float = TIMEOUT_SECONDS) -> LimitsStore:
    """Returns the store at an address such as ``redis://host:6379/0`` or ``memcached://host:11211``.

    It connects when it is used. A request waits at most ``timeout_seconds`` for each of its answers.

    Raises:
        ValueError: there is no such kind of store, or the address is malformed.
    """
    scheme = urlsplit(address).scheme
    if scheme not in SCHEMES:
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    try:
        return _memcached(address, timeout_seconds) if scheme == "memcached" else _redis(address, timeout_seconds)
    except (ConfigurationError, ValueError):
        # The library's own message may repeat the address, which may hold a password.
        raise ValueError("is not the address of a store") from None


def _redis(address: str, timeout_seconds: float) -> LimitsStore:
    from redis.backoff import NoBackoff  # noqa: PLC0415 - Memcached does not need it
    from redis.retry import Retry  # noqa: PLC0415

    # By default the client repeats what failed for seconds, while a request waits.
    options: dict[str, Any] = {"retry": Retry(NoBackoff(), 0)}
    options |= {"socket_connect_timeout": timeout_seconds, "socket_timeout": timeout_seconds}
    storage = RedisStorage(address, wrap_exceptions=True, **options)
    return LimitsStore(storage, storage.storage.close)


def _memcached(address: str, timeout_seconds: float) -> LimitsStore:
    clients: list[Any] = []

    def client(module: ModuleType, hosts: list[Any], **options: Any) -> Any:  # noqa: ANN401 - of the library
        # One for all threads: the library would make one for each, and none of them could be closed.
        if not clients:
            clients.append(module.PooledClient(hosts[0], **options))
        return clients[0]

    options: dict[str, Any] = {"connect_timeout": timeout_seconds, "timeout": timeout_seconds}
    storage = MemcachedStorage(address, wrap_exceptions=True, **options | {"client_getter": client})

    def close() -> None:
        for each in clients:
            each.close()

    return LimitsStore(storage, close)
