"""What types cannot say: names that must exist, values that must fit together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from os.path import isabs, isfile
from typing import Any

from pihub.domain.http_fields import HOP_BY_HOP
from pihub.settings import alert_rules, routing_rules, semantic
from pihub.settings.addresses import (
    is_loopback,
    is_private,
    listen_addresses,
    parse_url,
    sqlite_path,
)
from pihub.settings.faults import Faults, Path, did_you_mean
from pihub.settings.prompts import check as check_prompts
from pihub.settings.schema import Api, Settings, Timers, Upstream
from pihub.settings.sizes import parse_size
from pihub.settings.web_rules import check as check_web
from pihub.settings.webhook_rules import check as check_webhooks

SIZES: Mapping[Path, tuple[str, str]] = {
    ("cache", "size"): ("1MB", "64GB"),
    ("cache", "max_value"): ("1KB", "256MB"),
    ("limits", "body"): ("1KB", "1GB"),
    ("limits", "header"): ("1KB", "64KB"),
    ("limits", "answer"): ("64KB", "1GB"),
    ("machine", "write_budget"): ("1MB", "1024GB"),
    ("prompts", "max_text"): ("1KB", "64MB"),
}
"""Least and greatest of each size: a cache of 640 bytes is a slip, not a wish."""
MAX_TARGETS = 32
"""Upstreams and APIs together: so many breakers the shared arena has."""
RESERVED = ("/v1", "/api", "/admin", "/dashboard", "/healthz", "/readyz", "/metrics", "/webhooks")
"""The hub's own paths, which no API may take."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FRAMING = HOP_BY_HOP | {"content-length", "expect", "host"}
"""Fields that belong to one connection, or to its framing."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,118}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(settings: Settings, raw: Mapping[str, Any], faults: Faults) -> None:
    """Every fault and warning. `raw` knows names whose tables could not be decoded."""
    _server(settings, faults)
    _sizes(settings, faults)
    _try(faults, ("store", "url"), lambda: sqlite_path(settings.store.url))
    if settings.gateway.prices_file:
        _file(faults, ("gateway", "prices_file"), settings.gateway.prices_file)
    for name, upstream in settings.upstreams.items():
        _upstream(name, upstream, faults)
    for name, api in settings.apis.items():
        _api(name, api, settings, faults)
    _models(settings, raw, faults)
    manage = settings.ollama.manage
    if manage and getattr(settings.upstreams.get(manage), "kind", "") != "ollama":
        faults.add(("ollama", "manage"), f'there is no upstream "{manage}" of kind "ollama"')
    routing_rules.check(settings, faults)
    semantic.check(settings, faults)
    check_webhooks(settings, faults)
    check_web(settings, faults)
    alert_rules.check(settings, faults)
    check_prompts(settings, faults)
    both = sorted(set(settings.upstreams) & set(settings.apis))
    for name in both:
        faults.add(
            ("apis", name),
            "has the name of an upstream; breakers, counters and keys go by name: rename one",
        )
    if len(settings.upstreams) + len(settings.apis) > MAX_TARGETS:
        faults.add(("upstreams",), f"at most {MAX_TARGETS} upstreams and APIs together")


def _try(faults: Faults, path: Path, judge: Callable[[], object]) -> bool:
    if faults.at(path):
        return False
    try:
        judge()
    except ValueError as exc:
        faults.add(path, str(exc))
        return False
    return True


def _server(settings: Settings, faults: Faults) -> None:
    server = settings.server
    here = ("server", "listen")
    if _try(faults, here, lambda: listen_addresses(server.listen)):
        open_hosts = [h for h, _ in listen_addresses(server.listen) if not is_loopback(h)]
        if open_hosts and not (server.tls_cert or server.public_url.startswith("https://")):
            faults.warn(
                here,
                f"{', '.join(open_hosts)} can be reached from other machines and speaks plain "
                "HTTP: put a TLS proxy in front and set server.public_url to its https URL",
            )
    if server.public_url:
        _try(faults, ("server", "public_url"), lambda: parse_url(server.public_url))
    if server.run_dir and not isabs(server.run_dir):
        faults.add(("server", "run_dir"), "must be an absolute path")
    if isinstance(server.workers, int) and server.workers > 64:
        faults.add(("server", "workers"), "at most 64 workers")
    if server.max_workers and server.min_workers > server.max_workers:
        faults.add(("server", "min_workers"), "must not be more than max_workers")
    if server.max_workers and server.workers != "auto":
        faults.warn(("server", "max_workers"), 'has no effect beside a number of workers')
    if settings.limits.streams_per_worker * 2 > server.connections:
        path = ("limits", "streams_per_worker")
        faults.warn(
            path,
            f"a stream may need two of the {server.connections} server.connections: "
            f"{settings.limits.streams_per_worker} streams may not all fit",
        )


def _sizes(settings: Settings, faults: Faults) -> None:
    for path, (low, high) in SIZES.items():
        text = getattr(getattr(settings, path[0]), path[1])

        def judge(text: str = text, low: str = low, high: str = high) -> None:
            if not parse_size(low) <= parse_size(text) <= parse_size(high):
                raise ValueError(f'must be from "{low}" to "{high}"')

        _try(faults, path, judge)
    value, whole = ("cache", "max_value"), ("cache", "size")
    if not faults.at(value) and not faults.at(whole):
        limit = parse_size(settings.cache.size) // 4
        if parse_size(settings.cache.max_value) > limit:
            faults.add(value, "must be at most a quarter of cache.size")


def _file(faults: Faults, path: Path, name: str) -> None:
    if not faults.at(path) and not isfile(name):
        faults.add(path, f"there is no file {name}")


def _target(path: Path, target: Upstream | Api, faults: Faults) -> None:
    """What an upstream and an API have in common."""
    if not _NAME.fullmatch(path[-1]):
        faults.add(
            path, "a name is up to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit"
        )
    fine = _try(faults, (*path, "url"), lambda: parse_url(target.url))
    if target.ca_file:
        _file(faults, (*path, "ca_file"), target.ca_file)
    if target.api_key_env and target.api_key_file:
        faults.add((*path, "api_key_file"), "give either api_key_env or api_key_file, not both")
    if target.api_key_env and not _VARIABLE.fullmatch(target.api_key_env):
        # Not quoted: it may well be the key itself.
        faults.add(
            (*path, "api_key_env"),
            "must be the name of an environment variable, not the key itself",
        )
    if fine:
        url = parse_url(target.url)
        keyed = target.api_key_env or target.api_key_file
        if keyed and url.scheme == "http" and not is_private(url.hostname or ""):
            faults.warn((*path, "url"), "the key crosses the network unencrypted: use https")
        if target.ca_file and url.scheme == "http":
            faults.warn((*path, "ca_file"), "has no effect: the url is not https")
    _timers((*path, "timers"), target.timers, faults)


def _timers(path: Path, timers: Timers, faults: Faults) -> None:
    for name in ("connect", "headers", "first_byte", "idle"):
        if (*path, name) in faults.origins and getattr(timers, name) > timers.total:
            faults.warn(
                (*path, name),
                f"{getattr(timers, name):g} s never fires: total is {timers.total:g} s",
            )


def _upstream(name: str, upstream: Upstream, faults: Faults) -> None:
    path = ("upstreams", name)
    _target(path, upstream, faults)
    keyed = upstream.api_key_env or upstream.api_key_file or upstream.simulated
    if upstream.kind == "anthropic" and not keyed and not faults.at((*path, "url")):
        host = parse_url(upstream.url).hostname or ""
        if not is_private(host):
            faults.warn(path, 'has no key: add api_key_env = "ANTHROPIC_API_KEY"')


def _api(name: str, api: Api, settings: Settings, faults: Faults) -> None:
    path = ("apis", name)
    _target(path, api, faults)
    where = (*path, "prefix")
    if not faults.at(where):
        if not _PREFIX.fullmatch(api.prefix) or "/." in api.prefix:
            faults.add(where, 'must be a path that begins with "/", such as "/apis/' + name + '"')
        else:
            for own in RESERVED:
                if api.prefix == own or api.prefix.startswith(own + "/"):
                    faults.add(
                        where, f"{own} belongs to the hub: take another, such as /apis/{name}"
                    )
            for other, second in settings.apis.items():
                if other == name:
                    break
                if second.prefix == api.prefix:
                    faults.add(where, f"is the prefix of apis.{other} already")
    for method in api.methods:
        if method not in METHODS:
            known = did_you_mean(method, [m.lower() for m in METHODS]).upper()
            hint = known.replace("DID YOU MEAN", "did you mean")
            faults.add((*path, "methods"), f'unknown method "{method[:20]}"{hint}')
    if not api.methods:
        faults.add((*path, "methods"), "names no method, so no request could pass")
    if not _TOKEN.fullmatch(api.api_key_header):
        faults.add((*path, "api_key_header"), "is no name of a header field")
    elif api.api_key_header.lower() in FRAMING:
        faults.add((*path, "api_key_header"), "belongs to the connection and cannot carry a key")
    if api.api_key_scheme and not _TOKEN.fullmatch(api.api_key_scheme):
        faults.add((*path, "api_key_scheme"), 'must be one word, such as "Bearer", or empty')
    for field in api.forward_headers:
        if not _TOKEN.fullmatch(field):
            faults.add((*path, "forward_headers"), "holds what is no name of a header field")
        elif field.lower() in FRAMING:
            faults.add(
                (*path, "forward_headers"),
                f'"{field}" belongs to the connection and is never forwarded',
            )
    if not api.auth and (api.api_key_env or api.api_key_file):
        faults.warn(
            (*path, "auth"), "anybody who reaches the hub may use the upstream's key: auth is off"
        )


def _models(settings: Settings, raw: Mapping[str, Any], faults: Faults) -> None:
    table = raw.get("upstreams")
    named = set(table) if isinstance(table, dict) else set()
    known = sorted(named | set(settings.upstreams))
    for alias, model in settings.models.items():
        path = ("models", alias)
        if not _ALIAS.fullmatch(alias):
            faults.add(path, "a model's name is of A-Z a-z 0-9 . _ : - and has no slash")
        chain = (*path, "chain")
        if faults.at(chain):
            continue
        seen: set[str] = set()
        for target in model.chain:
            upstream, slash, name = target.partition("/")
            if not slash or not name or not upstream:
                faults.add(chain, f'"{target}" must be "upstream/model"')
            elif upstream not in known:
                hint = did_you_mean(upstream, known)
                if not hint and known:
                    hint = f" (there are: {', '.join(known)})"
                faults.add(chain, f'"{target}": there is no upstream "{upstream}"{hint}')
            elif target in seen:
                faults.add(chain, f'"{target}" stands in the chain twice')
            seen.add(target)
        routing_rules.check_model(path, model, faults)
        routing_rules.check_offline(path, model, settings, faults)
