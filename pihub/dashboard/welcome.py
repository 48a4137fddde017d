"""The first minutes: models, a preset and a key, one short page each; plain forms.

What was chosen so far stands in the address; nothing is written before the last step but
the key of Claude, which goes into its own file at once.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import falcon

from pihub.dashboard import words
from pihub.dashboard.menu import Render
from pihub.errors import BadRequest, PihubError
from pihub.ops.configuring import ConfigDesk
from pihub.ops.machine import device_kind, machine
from pihub.ops.presets import preset
from pihub.security.keys import KeyService
from pihub.security.opening import Control
from pihub.settings.addresses import is_loopback
from pihub.settings.zero import CLAUDE_MODEL, ollama_url
from pihub.upstream.ask import ask_json

HERE = "/dashboard/welcome"
STEPS = ("ollama", "claude", "preset", "key")
PATIENCE = 1.0
"""Seconds for an Ollama to list its models."""
CLAUDE_URL = "https://api.anthropic.com"
SECRET = "claude"  # noqa: S105 - the name of a file


class WelcomePage:
    """GET, POST /dashboard/welcome?step=&model=&url="""

    permission = "config:write"

    def __init__(
        self, control: Control, config: ConfigDesk, keys: KeyService, templates: Render
    ) -> None:
        self._control = control
        self._config = config
        self._keys = keys
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp, _chosen(req.params))

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Form fields: `step`, what was chosen before, and what that step asks."""
        form = req.env.get("pihub.form", {})
        chosen = _chosen(form)
        try:
            getattr(self, f"_post_{chosen['step']}")(req, resp, form, chosen)
        except PihubError as error:
            resp.status = falcon.HTTP_400
            self._show(req, resp, chosen, fault=error.message)

    # ---- the steps -------------------------------------------------------------------

    def _post_ollama(self, req: Any, resp: Any, form: Any, chosen: dict[str, str]) -> None:
        if chosen["model"] and chosen["model"] not in (self._models(chosen["url"]) or ()):
            raise BadRequest("this Ollama does not have that model any more: choose again")
        _go(resp, {**chosen, "step": "claude"})

    def _post_claude(self, req: Any, resp: Any, form: Any, chosen: dict[str, str]) -> None:
        key = form.get("key", "").strip()
        if key:
            self._config.keep_secret(SECRET, key)
            self._told(req, "keep secret", {"name": SECRET})
        _go(resp, {**chosen, "step": "preset"})

    def _post_preset(self, req: Any, resp: Any, form: Any, chosen: dict[str, str]) -> None:
        changes = self._changes(chosen, fits=form.get("preset") == "fits")
        trial = self._config.try_changes(changes) if changes else None
        if trial is not None and trial.diff:
            self._config.apply(trial, req.env["pihub.who"].actor.name, "the first steps")
            self._told(req, "first steps", {"keys": sorted(changes)})
            self._show(req, resp, chosen, waits=_address({"step": "key"}))
            return
        if trial is not None and trial.faults:
            raise BadRequest("; ".join(trial.faults)[:500])
        _go(resp, {"step": "key"})

    def _post_key(self, req: Any, resp: Any, form: Any, chosen: dict[str, str]) -> None:
        req.env["pihub.who"].actor.require("keys:write")
        name = form.get("name", "").strip() or "first app"
        made = self._keys.create("default", name)
        self._told(req, "create key", {"name": name, "number": made.key.id})
        self._show(req, resp, chosen, token=made.token)

    # ---- what they look at -----------------------------------------------------------

    def _changes(self, chosen: dict[str, str], *, fits: bool) -> dict[str, Any]:
        """Dotted keys and values for what was chosen; a hub with upstreams keeps them."""
        changes: dict[str, Any] = {}
        chain = []
        if self._config.loaded.demo:
            if chosen["model"]:
                changes["upstreams.ollama.kind"] = "ollama"
                changes["upstreams.ollama.url"] = self._url(chosen["url"])
                chain.append(f"ollama/{chosen['model']}")
            if SECRET in self._config.secrets():
                changes["upstreams.claude.kind"] = "anthropic"
                changes["upstreams.claude.url"] = CLAUDE_URL
                changes["upstreams.claude.api_key_file"] = str(self._config.secret_file(SECRET))
                chain.append(f"claude/{CLAUDE_MODEL}")
        if chain:
            changes["models.assistant.chain"] = chain
            changes["server.demo"] = None
        if fits:
            changes |= self._preset()
        return changes

    def _preset(self) -> dict[str, Any]:
        storage = device_kind(self._config.folder)
        chosen = preset(machine(), storage)
        changes: dict[str, Any] = {
            "server.min_workers": 1,
            "server.max_workers": chosen.max_workers,
            "server.connections": chosen.connections,
            "cache.size": chosen.cache,
            "limits.body": chosen.body,
            "limits.answer": chosen.answer,
            "limits.streams_per_worker": chosen.streams,
            "machine.write_budget": chosen.write_budget,
        }
        if storage == "SD card":
            changes["store.flush"] = 5.0
        return changes

    def _url(self, given: str) -> str:
        """Only what is configured or this machine itself is ever asked. Raises BadRequest."""
        known = self._known()
        if given and given not in known:
            raise BadRequest("only an Ollama of this machine or of the configuration is looked for")
        return given or known[0]

    def _known(self) -> list[str]:
        settings = self._config.loaded.settings
        urls = [one.url for one in settings.upstreams.values()
                if one.kind == "ollama" and not one.simulated]  # fmt: skip
        named = self._config.environ.get("OLLAMA_HOST", "").strip()
        if named and is_loopback(urlsplit(ollama_url(named)).hostname or ""):
            urls.append(ollama_url(named))
        return list(dict.fromkeys([*urls, ollama_url("127.0.0.1")]))

    def _models(self, url: str) -> list[str] | None:
        """None: nothing that speaks Ollama answers there."""
        try:
            found = ask_json(f"{self._url(url)}/api/tags", timeout=PATIENCE)
            return [str(one["name"]) for one in found["models"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _show(
        self, req: falcon.Request, resp: falcon.Response, chosen: dict[str, str], **more: Any
    ) -> None:
        who, step = req.env["pihub.who"], chosen["step"]
        board = machine()
        seen: dict[str, Any] = {"urls": self._known(), "secret": SECRET in self._config.secrets()}
        if step == "ollama":
            seen["url"] = self._url(chosen["url"])
            seen["models"] = self._models(chosen["url"])
        if step == "preset":
            seen["preset"] = preset(board, device_kind(self._config.folder))
            seen["board"] = f"{board.model}, {words.size(board.memory)}, {board.cores} cores"
            seen["diff"] = self._config.try_changes(self._changes(chosen, fits=True)).diff
        settings = self._config.loaded.settings
        self._templates.answer(
            resp,
            "welcome.html",
            who.actor,
            **{"fault": "", "token": "", "waits": "", **more},
            page="welcome",
            step=step,
            number=STEPS.index(step) + 2,
            steps=len(STEPS) + 1,
            chosen=chosen,
            skip=_address({**chosen, "step": STEPS[min(STEPS.index(step) + 1, len(STEPS) - 1)]}),
            seen=seen,
            demo=self._config.loaded.demo,
            upstreams=list(settings.upstreams),
            model=next(iter(settings.models), "assistant"),
            advice=self._config.advice(),
            path=self._config.path,
            host=f"{req.forwarded_scheme}://{req.forwarded_host}",
            csrf=who.csrf,
        )

    def _told(self, req: falcon.Request, what: str, after: Any) -> None:
        actor = req.env["pihub.who"].actor
        self._control.audit.write(actor, what, "/welcome", "200", None, after)


def _chosen(given: Any) -> dict[str, str]:
    """`step`, `model` and `url` of a query or a form. Raises BadRequest."""
    step = str(given.get("step", STEPS[0]))
    if step not in STEPS:
        raise BadRequest(f"step must be one of {', '.join(STEPS)}", param="step")
    return {"step": step, "model": str(given.get("model", ""))[:200],
            "url": str(given.get("url", ""))[:300]}  # fmt: skip


def _address(chosen: dict[str, str]) -> str:
    return f"{HERE}?{urlencode({name: value for name, value in chosen.items() if value})}"


def _go(resp: falcon.Response, chosen: dict[str, str]) -> None:
    resp.status = falcon.HTTP_303
    resp.set_header("location", _address(chosen))
