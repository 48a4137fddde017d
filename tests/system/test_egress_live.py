"""The egress report of a running hub, from its command line, and what verify says of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.system.hub import HubProcess, Upstreams


def test_what_left_is_shown_signed_and_verified(upstreams: Upstreams, tmp_path: Path) -> None:
    upstreams.clear_log()
    env = {"PIHUB_ROUTING__KEY_POLICIES": '["1=local-only"]'}
    with HubProcess(tmp_path, upstreams, workers=1, env=env) as hub:
        body = {"model": "assistant", "messages": [{"role": "user", "content": "stay here"}]}
        assert hub.post("/v1/chat/completions", body).status == 200
        # Every way to an upstream knows the policy, not only that of the chats.
        said = {**body, "model": "cloud", "max_tokens": 9}
        assert hub.post("/v1/messages/count_tokens", said).status == 403
        assert hub.post("/v1/messages", said, x_pihub_deadline="30m").status == 403
        assert hub.post("/v1/messages", said).status == 403
        assert upstreams.log("claude") == []
        end = time.monotonic() + 10
        while True:
            signed = json.loads(hub.pihub("egress", "show", "--json").stdout)
            if signed["report"]["hosts"] or time.monotonic() > end:
                break
            time.sleep(0.2)
        [host] = signed["report"]["hosts"]
        assert (host["upstreams"], host["requests"], host["outside"]) == (["ollama"], 1, False)
        assert host["bytes_sent"] > 50
        assert signed["report"]["local_only_keys"] == [1]
        assert "of local-only keys to the outside: 0" in hub.pihub("egress", "show").stdout
        kept = tmp_path / "report.json"
        kept.write_text(json.dumps(signed))
        assert "OK" in hub.pihub("egress", "verify", str(kept)).stdout
        kept.write_text(json.dumps(signed).replace('"requests": 1', '"requests": 0'))
        told = hub.pihub("egress", "verify", str(kept), check=False)
        assert told.returncode != 0 and "BROKEN" in told.stdout
