"""The wire formats by name. A new protocol is one line here and one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pihub.domain.ports import ClientFormat, UpstreamFormat
from pihub.protocols.anthropic.client import AnthropicClient
from pihub.protocols.anthropic.upstream import AnthropicUpstream
from pihub.protocols.ollama.client import OllamaClient
from pihub.protocols.ollama.upstream import OllamaUpstream
from pihub.protocols.openai.client import OpenAIClient
from pihub.protocols.openai.upstream import OpenAIUpstream

CLIENTS: Mapping[str, Callable[[], ClientFormat]] = MappingProxyType(
    {"openai": OpenAIClient, "anthropic": AnthropicClient, "ollama": OllamaClient}
)
UPSTREAMS: Mapping[str, Callable[[], UpstreamFormat]] = MappingProxyType(
    {"openai": OpenAIUpstream, "anthropic": AnthropicUpstream, "ollama": OllamaUpstream}
)
