"""/config: the configuration's file and every key; changes, versions, secrets."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from pihub.errors import BadRequest, Conflict, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.ops.configuring import FieldView, Trial
from pihub.ops.versions import Version

Text = Annotated[str, Meta(max_length=200_000)]
Note = Annotated[str, Meta(max_length=200)]


class ConfigView(Output, frozen=True):
    """The file as it is. `pending`: it is not what is in force; a reload is under way, or
    was refused and the log says why."""

    path: str
    exists: bool
    writable: bool
    advice: str
    """What to do where the hub may not write it."""
    text: str
    pending: bool
    reloading: bool
    """A reload was asked for and has not come yet."""
    warnings: list[str]
    demo: bool


class FieldRow(Output, frozen=True):
    """One key as it is in force."""

    key: str
    section: str
    type: str
    choices: list[str]
    default: Any
    required: bool
    value: Any
    origin: str
    """`default`, `FILE:LINE`, `env NAME` or the like."""
    meaning: str


class TrialView(Output, frozen=True):
    """What a change would be; `faults` empty: it may be applied."""

    text: str
    faults: list[str]
    warnings: list[str]
    diff: str


class VersionView(Output, frozen=True):
    number: int
    at: int
    by: str
    note: str
    bytes: int


class VersionText(VersionView, frozen=True):
    text: str
    diff: str
    """From the file as it is to this version."""


class SecretView(Output, frozen=True):
    """Where a secret is kept; its value is never shown."""

    name: str
    file: str


class TextBody(Input, frozen=True):
    text: Text
    note: Note = ""


class ChangesBody(Input, frozen=True):
    """Dotted keys and their values; null: back to the default."""

    changes: Annotated[dict[str, Any], Meta(min_length=1, max_length=100)]
    note: Note = ""


class TrialBody(Input, frozen=True):
    """One of both."""

    text: Text | None = None
    changes: Annotated[dict[str, Any], Meta(max_length=100)] | None = None


class SecretBody(Input, frozen=True):
    """`use_for`: an upstream or API, such as `upstreams.claude`, whose api_key_file it becomes."""

    secret: Annotated[str, Meta(min_length=1, max_length=16_384)]
    use_for: Annotated[str, Meta(max_length=200)] = ""


def _view(call: Call) -> ConfigView:
    desk = call.services.config
    return ConfigView(
        path=str(desk.path),
        exists=desk.path.exists(),
        writable=desk.writable(),
        advice=desk.advice(),
        text=desk.text(),
        pending=desk.pending(),
        reloading=desk.reloading(),
        warnings=list(desk.loaded.warnings),
        demo=desk.loaded.demo,
    )


def _fields(call: Call) -> Page[FieldRow]:
    rows = [_row(one) for one in call.services.config.field_views()]
    return call.pager.whole(rows, lambda row: (row.key,))


def _row(one: FieldView) -> FieldRow:
    return FieldRow(
        key=one.key,
        section=one.section,
        type=one.field.kind,
        choices=list(one.field.choices),
        default=one.field.default,
        required=one.field.required,
        value=one.value,
        origin=one.origin,
        meaning=one.field.meaning,
    )


def _try(call: Call) -> TrialView:
    body: TrialBody = call.body
    desk = call.services.config
    if body.text is not None and body.changes is None:
        return _trial(desk.try_text(body.text))
    if body.changes is not None and body.text is None:
        return _trial(desk.try_changes(body.changes))
    raise BadRequest("give either text or changes")


def _trial(found: Trial) -> TrialView:
    return TrialView(
        text=found.text,
        faults=list(found.faults),
        warnings=list(found.warnings),
        diff=found.diff,
    )


def _put(call: Call) -> VersionView:
    desk, body = call.services.config, call.body
    return _version(desk.apply(desk.try_text(body.text), call.actor.name, body.note))


def _patch(call: Call) -> VersionView:
    desk, body = call.services.config, call.body
    note = body.note or ", ".join(sorted(body.changes))[:200]
    return _version(desk.apply(desk.try_changes(body.changes), call.actor.name, note))


def _versions(call: Call) -> Page[VersionView]:
    rows = [_version(one) for one in call.services.config.versions()]
    return call.pager.whole(rows, lambda row: (-row.number,))


def _version(one: Version) -> VersionView:
    return VersionView(**one._asdict())


def _one_version(call: Call) -> VersionText:
    desk, number = call.services.config, call.path["number"]
    text = desk.version(number)
    one = next(one for one in desk.versions() if one.number == number)
    return VersionText(**one._asdict(), text=text, diff=desk.diff(text))


def _restore(call: Call) -> VersionView:
    desk, number = call.services.config, call.path["number"]
    trial = desk.try_text(desk.version(number))
    return _version(desk.apply(trial, call.actor.name, f"back to version {number}"))


def _secrets(call: Call) -> Page[SecretView]:
    desk = call.services.config
    rows = [SecretView(name=n, file=str(desk.secret_file(n))) for n in desk.secrets()]
    return call.pager.whole(rows, lambda row: (row.name,))


def _keep(call: Call) -> SecretView:
    desk, name, body = call.services.config, call.path["name"], call.body
    file = desk.keep_secret(name, body.secret)
    if body.use_for:
        desk.use_secret(body.use_for, file, call.actor.name)
    return SecretView(name=name, file=str(file))


def _reload(call: Call) -> None:
    call.services.config.reload_soon()


OPERATIONS = (
    Operation(
        "GET", "/config", "config:read",
        "The configuration's file, and whether it is in force", _view, ConfigView,
    ),
    Operation(
        "PUT", "/config", "config:write",
        "Writes the file after checking it, keeps the version before, reloads", _put, VersionView,
        body=TextBody, errors=(Conflict,), must_match=True,
    ),
    Operation(
        "PATCH", "/config", "config:write",
        "Changes single keys in the file, the rest of it stays; then as PUT", _patch, VersionView,
        body=ChangesBody, errors=(Conflict,), must_match=True,
    ),
    Operation(
        "GET", "/config/fields", "config:read",
        "Every key: meaning, type, default, value in force and where it comes from",
        _fields, Page[FieldRow], query=PageQuery,
    ),
    Operation(
        "POST", "/config/trials", "config:write",
        "Checks a text or changes and shows the difference; nothing is written", _try, TrialView,
        body=TrialBody,
    ),
    Operation(
        "GET", "/config/versions", "config:read",
        "Texts that were applied, newest first", _versions, Page[VersionView], query=PageQuery,
    ),
    Operation(
        "GET", "/config/versions/{number:int}", "config:read",
        "One of them, and how it differs from the file", _one_version, VersionText,
        errors=(NotFound,),
    ),
    Operation(
        "POST", "/config/versions/{number:int}/restore", "config:write",
        "Applies an earlier text again", _restore, VersionView, errors=(NotFound, Conflict),
    ),
    Operation(
        "GET", "/config/secrets", "config:read",
        "Names and files of kept secrets; never a value", _secrets, Page[SecretView],
        query=PageQuery,
    ),
    Operation(
        "PUT", "/config/secrets/{name}", "config:write",
        "Keeps a secret in a file (mode 0600) that the configuration may name", _keep, SecretView,
        body=SecretBody, errors=(Conflict,),
    ),
    Operation(
        "POST", "/config/reload", "config:write",
        "Reads the configuration and the secrets again, as SIGHUP does", _reload, None, status=204,
    ),
)  # fmt: skip
