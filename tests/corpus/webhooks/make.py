"""Makes signatures.json with the senders' own libraries; run in an environment that has
`hubspot-api-client`, `standardwebhooks`, `stripe` and `slack_sdk`:

    python tests/corpus/webhooks/make.py > tests/corpus/webhooks/signatures.json
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import random
import sys
from importlib.metadata import version

from hubspot.utils.signature import Signature
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature

NOW_MS = 1_700_000_000_000
BODIES = [
    "[]",
    '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000}]',
    '{"text":"Grüße aus der Küche 🍌","n":1.50}',
    "{'example_field':'example_value'}",
    "",
]
URLS = [
    "https://pi.example/webhooks/hubspot",
    "https://pi.example/webhooks/hubspot?a=b&c=%20d",
    "https://pi.example/hub/webhooks/hubspot?x=1,2",
]


def main() -> None:
    rng = random.Random(7)
    cases = []
    for body in BODIES:
        for url in URLS:
            secret = f"{rng.getrandbits(128):032x}"
            for kind in ("v1", "v2", "v3"):
                signature = Signature.get_signature(
                    secret, body, kind, http_uri=url, http_method="POST", timestamp=str(NOW_MS)
                )
                headers = {"x-hubspot-signature": signature, "x-hubspot-signature-version": kind}
                if kind == "v3":
                    headers = {
                        "x-hubspot-signature-v3": signature,
                        "x-hubspot-request-timestamp": str(NOW_MS),
                    }
                cases.append(["hubspot", secret, url, body, headers])
        seconds = NOW_MS // 1000
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLDsw"
        when = dt.datetime.fromtimestamp(seconds, dt.UTC)
        signed = Webhook(secret).sign("msg_1", when, body)
        cases.append(["standard", secret, URLS[0], body, {
            "webhook-id": "msg_1", "webhook-timestamp": str(seconds), "webhook-signature": signed,
        }])
        secret = f"whsec_{rng.getrandbits(128):032x}"
        mac = WebhookSignature._compute_signature(f"{seconds}.{body}", secret)
        cases.append(["stripe", secret, URLS[0], body, {
            "stripe-signature": f"t={seconds},v1={mac},v0={mac[::-1]}",
        }])
        secret = f"{rng.getrandbits(128):032x}"
        signed = SignatureVerifier(secret).generate_signature(timestamp=str(seconds), body=body)
        cases.append(["slack", secret, URLS[0], body, {
            "x-slack-signature": signed, "x-slack-request-timestamp": str(seconds),
        }])
        # GitHub publishes no library; its documentation gives the formula and one vector.
        mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        cases.append(["github", secret, URLS[0], body, {"x-hub-signature-256": f"sha256={mac}"}])
    made_with = {
        name: version(name)
        for name in ("hubspot-api-client", "standardwebhooks", "stripe", "slack-sdk")
    }
    json.dump(
        {"made_with": made_with, "now_ms": NOW_MS, "cases": cases}, sys.stdout, indent=1
    )


if __name__ == "__main__":
    main()
