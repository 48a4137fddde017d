"""Generic API middleware: `[apis.NAME]` proxies any HTTP API, cached by the RFCs."""

from pihub.gateway.api.answer import ApiAnswer
from pihub.gateway.api.faces import BackgroundFace, BreakerFace, CacheFace, LimiterFace
from pihub.gateway.api.proxy import ApiProxy

__all__ = [
    "ApiAnswer", "ApiProxy", "BackgroundFace", "BreakerFace", "CacheFace", "LimiterFace",
]  # fmt: skip
