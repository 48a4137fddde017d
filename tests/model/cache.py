"""The obvious twin of pihub._core.cache: a dict that forgets nothing by itself."""

from __future__ import annotations


class Cache:
    """Fresh is what was put with a ttl, stale what was put without one."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, int, int], tuple[bytes, bool, int]] = {}

    def put(self, key: tuple[int, int, int], value: bytes, fresh: bool, tag: int) -> None:
        self.values[key] = (value, fresh, tag)

    def get(self, key: tuple[int, int, int]) -> bytes | None:
        found = self.values.get(key)
        return found[0] if found and found[1] else None

    def get_stale(self, key: tuple[int, int, int]) -> bytes | None:
        found = self.values.get(key)
        return found[0] if found else None

    def delete(self, key: tuple[int, int, int]) -> bool:
        return self.values.pop(key, None) is not None

    def invalidate_tag(self, tag: int) -> None:
        if tag:
            self.values = {k: v for k, v in self.values.items() if v[2] != tag}

    def invalidate_tenant(self, tenant: int) -> None:
        self.values = {k: v for k, v in self.values.items() if k[2] != tenant}
