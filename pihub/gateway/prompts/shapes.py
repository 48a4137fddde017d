"""The shapes of vendors' keys: where one may begin, how it goes on.

Sources: the vendors' own documentation and GitHub's list of secret scanning patterns.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Shape(NamedTuple):
    """`anchors`: literals that begin it, in any case; `form` is matched where one begins, and
    its group 1 (or all of it) is the value. `entropy`: least bits a character, for those that
    are only letters and digits of any order; 0: the form alone says enough."""

    rule: str
    anchors: tuple[bytes, ...]
    form: re.Pattern[bytes]
    entropy: float = 0.0


_WORD = "[A-Za-z0-9]"
_URL64 = "[A-Za-z0-9_-]"
_HEX = "[0-9a-fA-F]"


def _shape(rule: str, anchors: str, form: str, entropy: float = 0.0) -> Shape:
    """The value ends where its form does: no letter, digit or `_` may follow."""
    form = form.replace("WORD", _WORD).replace("URL64", _URL64).replace("HEX", _HEX)
    ends = re.compile(form.encode() + rb"(?![A-Za-z0-9_])")
    return Shape(rule, tuple(anchor.encode() for anchor in anchors.split()), ends, entropy)


SHAPES = (
    _shape("pihub-key", "ph_", "ph_URL64{40,64}+", 3.5),
    _shape("anthropic-key", "sk-ant-", "sk-ant-URL64{24,160}+", 3.0),
    _shape("openrouter-key", "sk-or-v1-", "sk-or-v1-HEX{64}"),
    _shape(
        "openai-key", "sk-", "sk-(?!ant-|or-v1-)(?:proj-|svcacct-|admin-)?URL64{24,200}+", 3.5
    ),
    _shape("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", "gh[pousr]_WORD{36,255}+", 3.0),
    _shape("github-token", "github_pat_", "github_pat_WORD{22}_WORD{59}"),
    _shape("gitlab-token", "glpat-", "glpat-URL64{20,64}+", 3.0),
    _shape("aws-key", "akia asia", "(?:AKIA|ASIA)[A-Z2-7]{16}", 3.0),
    _shape("google-key", "aiza", "AIzaURL64{35}", 3.0),
    _shape("google-secret", "gocspx-", "GOCSPX-URL64{28}", 3.0),
    _shape("google-token", "ya29.", r"ya29\.URL64{40,400}+", 3.5),
    _shape(
        "slack-token",
        "xoxb- xoxa- xoxp- xoxr- xoxs- xoxe-",
        "xox[baprse]-[A-Za-z0-9-]{20,250}+",
        2.5,
    ),
    _shape("slack-token", "xapp-", "xapp-[0-9]-[A-Za-z0-9-]{20,250}+", 2.5),
    _shape(
        "slack-webhook",
        "hooks.slack.com/services/",
        r"(?i:hooks\.slack\.com/services)/(T[A-Z0-9]{6,14}/B[A-Z0-9]{6,14}/WORD{20,30})",
    ),
    _shape(
        "stripe-key",
        "sk_live_ rk_live_ sk_test_ rk_test_",
        "[sr]k_(?:live|test)_WORD{16,200}+",
        3.0,
    ),
    _shape("webhook-secret", "whsec_", "whsec_[A-Za-z0-9+/]{24,88}+=*", 3.0),
    _shape("sendgrid-key", "sg.", r"SG\.URL64{22}\.URL64{43}"),
    _shape("npm-token", "npm_", "npm_WORD{36}", 3.0),
    _shape("pypi-token", "pypi-ageichlwas5vcmc", "pypi-AgEIcHlwaS5vcmcURL64{50,400}+"),
    _shape("huggingface-token", "hf_", "hf_WORD{34}", 3.0),
    _shape("groq-key", "gsk_", "gsk_WORD{52}", 3.0),
    _shape("xai-key", "xai-", "xai-WORD{80}", 3.0),
    _shape("replicate-token", "r8_", "r8_WORD{37}", 3.0),
    _shape("perplexity-key", "pplx-", "pplx-WORD{48,56}+", 3.0),
    _shape(
        "hubspot-token",
        "pat-na1- pat-na2- pat-na3- pat-eu1- pat-ap1-",
        "pat-(?:na[1-3]|eu1|ap1)-HEX{8}(?:-HEX{4}){3}-HEX{12}",
    ),
    _shape("shopify-token", "shpat_ shpss_ shpca_", "shp(?:at|ss|ca)_HEX{32}"),
    _shape("digitalocean-token", "dop_v1_ doo_v1_", "do[op]_v1_HEX{64}"),
    _shape("databricks-token", "dapi", "dapi[0-9a-f]{32}(?:-[0-9])?"),
    _shape("vault-token", "hvs. hvb.", r"hv[sb]\.URL64{24,200}+", 3.0),
    _shape("linear-key", "lin_api_", "lin_api_WORD{40}"),
    _shape("notion-token", "ntn_", "ntn_WORD{43,50}+"),
    _shape("postman-key", "pmak-", "PMAK-HEX{24}-HEX{34}"),
    _shape("grafana-token", "glsa_ glc_", "gl(?:sa|c)_[A-Za-z0-9+/=_]{32,400}+", 3.0),
    _shape("sentry-token", "sntrys_ sntryu_", "sntry[su]_[A-Za-z0-9+/=_]{40,400}+"),
    _shape("atlassian-token", "atatt3x", "ATATT3xURL64{80,400}+=?[0-9A-F]*"),
    _shape("supabase-token", "sbp_", "sbp_HEX{40}"),
    _shape("figma-token", "figd_", "figd_URL64{40,64}+"),
    _shape("newrelic-key", "nrak-", "NRAK-[A-Z0-9]{27}"),
    _shape("age-key", "age-secret-key-1", "(?i:AGE-SECRET-KEY-1)[A-Za-z0-9]{58}"),
    _shape(
        "azure-key",
        "accountkey= sharedaccesskey=",
        "(?i:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,90}+={0,2})",
    ),
)
