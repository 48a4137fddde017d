"""What types cannot say of webhooks: names that must exist, values that must fit together."""

from __future__ import annotations

import re
from os.path import isfile
from typing import TYPE_CHECKING

from pihub.settings.addresses import is_private, parse_url
from pihub.settings.alerts import OWN_SOURCE
from pihub.settings.faults import Faults, Path, did_you_mean
from pihub.settings.sizes import parse_size
from pihub.settings.webhooks import SIGNATURES

if TYPE_CHECKING:
    from pihub.settings.schema import Settings

LARGEST = "32MB"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PATH = re.compile(r"(/[!$-.0-;=@-Z_a-z~&']+)*/?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(settings: Settings, faults: Faults) -> None:
    """Every fault and warning of [webhooks], [subscribers] and [actions]."""
    for name, webhook in settings.webhooks.items():
        path = ("webhooks", name)
        _name(path, faults)
        if name == OWN_SOURCE:
            faults.add(path, f'"{OWN_SOURCE}" is the source of the hub\'s own alerts: rename it')
        _secret(path, webhook, "secret", faults)
        if not webhook.secret_env and not webhook.secret_file:
            faults.add(path, "needs secret_env or secret_file: unsigned events are not accepted")
        _size((*path, "max_body"), webhook.max_body, faults)
        for version in webhook.signatures:
            if version not in SIGNATURES:
                near = did_you_mean(version, SIGNATURES)
                faults.add((*path, "signatures"), f'unknown version "{version[:20]}"{near}')
        if webhook.kind == "hubspot":
            if not webhook.signatures:
                faults.add((*path, "signatures"), "names no version, so no event could pass")
            if set(webhook.signatures) & {"v2", "v3"} and not settings.server.public_url:
                faults.add(
                    path,
                    "needs server.public_url: the sender signs the URL that it calls",
                )
    known = [*sorted(settings.webhooks), OWN_SOURCE]
    for name, subscriber in settings.subscribers.items():
        path = ("subscribers", name)
        _name(path, faults)
        _secret(path, subscriber, "secret", faults)
        if not subscriber.secret_env and not subscriber.secret_file:
            faults.warn(path, "has no secret: its receiver cannot know who sent an event")
        if not faults.at((*path, "url")):
            try:
                url = parse_url(subscriber.url)
            except ValueError as error:
                faults.add((*path, "url"), str(error))
            else:
                dots = {".", ".."}.intersection(url.path.split("/"))
                if url.path and (dots or not _PATH.fullmatch(url.path)):
                    faults.add((*path, "url"), "its path holds what a path does not, or climbs")
                if url.scheme == "http" and not is_private(url.hostname or ""):
                    faults.warn((*path, "url"), "events cross the network unencrypted: use https")
        if subscriber.ca_file and not isfile(subscriber.ca_file):
            faults.add((*path, "ca_file"), f"there is no file {subscriber.ca_file}")
        _sources(path, subscriber.sources, known, faults)
    for name, action in settings.actions.items():
        path = ("actions", name)
        _name(path, faults)
        if name in settings.subscribers:
            faults.add(path, "has the name of a subscriber: deliveries go by name, rename one")
        _secret(path, action, "key", faults)
        _sources(path, action.sources, known, faults)
        apis = sorted(settings.apis)
        if action.api and action.api not in apis:
            near = did_you_mean(action.api, apis)
            faults.add((*path, "api"), f'there is no api "{action.api[:64]}"{near}')
        if bool(action.model) != bool(action.prompt):
            faults.add(path, "model and prompt belong together")
        for field in ("write", "fetch"):
            text = getattr(action, field)
            if text and not text.startswith("/") and not faults.at((*path, field)):
                faults.add((*path, field), 'must begin with "/": it is a path below the API')
    told = [
        *(one.sources for one in settings.subscribers.values()),
        *(one.sources for one in settings.actions.values()),
    ]
    if not settings.webhooks and any(OWN_SOURCE not in sources for sources in told):
        faults.warn(("subscribers",), "no [webhooks.NAME]: no event will ever come")


def _name(path: Path, faults: Faults) -> None:
    if not _NAME.fullmatch(path[-1]):
        faults.add(
            path, "a name is up to 64 of a-z 0-9 . _ - and begins with a letter or digit"
        )


def _secret(path: Path, target: object, what: str, faults: Faults) -> None:
    variable, file = getattr(target, f"{what}_env"), getattr(target, f"{what}_file")
    if variable and file:
        faults.add((*path, f"{what}_file"), f"give either {what}_env or {what}_file, not both")
    if variable and not _VARIABLE.fullmatch(variable):
        # Not quoted: it may well be the secret itself.
        faults.add(
            (*path, f"{what}_env"),
            "must be the name of an environment variable, not the secret itself",
        )


def _size(path: Path, text: str, faults: Faults) -> None:
    if faults.at(path):
        return
    try:
        if not 1024 <= parse_size(text) <= parse_size(LARGEST):
            faults.add(path, f'must be from "1KB" to "{LARGEST}"')
    except ValueError as error:
        faults.add(path, str(error))


def _sources(path: Path, sources: list[str], known: list[str], faults: Faults) -> None:
    for source in sources:
        if source not in known:
            near = did_you_mean(source, known)
            faults.add((*path, "sources"), f'there is no webhook "{source[:64]}"{near}')
