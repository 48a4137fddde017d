"""A number for what decides about answers: cached ones of another epoch are not used."""

from __future__ import annotations

import hashlib

import msgspec

from pihub.settings.schema import Settings

VERSION = 1
"""Raised when the same settings come to mean another answer."""


def epoch(settings: Settings) -> int:
    """An unsigned 64-bit digest of upstreams (kind, url), models and APIs (url).

    Timers, limits, keys and whatever else leaves answers alone do not change it.
    """
    upstreams = {
        name: (upstream.kind, upstream.url, upstream.simulated)
        for name, upstream in sorted(settings.upstreams.items())
    }
    models = {
        name: (list(model.chain), model.max_tokens)
        for name, model in sorted(settings.models.items())
    }
    apis = {
        name: (api.prefix, api.url, api.forward_headers, api.cache.private)
        for name, api in sorted(settings.apis.items())
    }
    data = msgspec.json.encode([VERSION, upstreams, models, apis])
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
