"""The wire formats by name. A new protocol is one line here and one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pihub.domain.ports import ClientFormat, EmbedClient, EmbedUpstream, UpstreamFormat
from pihub.protocols.anthropic.client import AnthropicClient
from pihub.protocols.anthropic.upstream import AnthropicUpstream
from pihub.protocols.ollama.client import OllamaClient
from pihub.protocols.ollama.embeddings import OldEmbeddings, OllamaEmbedder, OllamaEmbeddings
from pihub.protocols.ollama.generate import GenerateClient, GenerateUpstream
from pihub.protocols.ollama.upstream import OllamaUpstream
from pihub.protocols.openai.client import OpenAIClient
from pihub.protocols.openai.completions import CompletionsClient, CompletionsUpstream
from pihub.protocols.openai.embeddings import OpenAIEmbedder, OpenAIEmbeddings
from pihub.protocols.openai.upstream import OpenAIUpstream
from pihub.protocols.responses.client import ResponsesClient

CLIENTS: Mapping[str, Callable[[], ClientFormat]] = MappingProxyType(
    {
        "openai": OpenAIClient,
        "anthropic": AnthropicClient,
        "ollama": OllamaClient,
        "completions": CompletionsClient,
        "generate": GenerateClient,
        "responses": ResponsesClient,
    }
)
UPSTREAMS: Mapping[str, Callable[[], UpstreamFormat]] = MappingProxyType(
    {"openai": OpenAIUpstream, "anthropic": AnthropicUpstream, "ollama": OllamaUpstream}
)
FACES: Mapping[tuple[str, str], Callable[[], UpstreamFormat]] = MappingProxyType(
    {
        ("openai", "completions"): CompletionsUpstream,
        ("ollama", "completions"): GenerateUpstream,
        ("ollama", "generate"): GenerateUpstream,
    }
)
"""(upstream kind, client format): where the upstream has an endpoint of its own for it."""

EMBED_CLIENTS: Mapping[str, Callable[[], EmbedClient]] = MappingProxyType(
    {made.path: made for made in (OpenAIEmbeddings, OllamaEmbeddings, OldEmbeddings)}
)
"""By path."""
EMBEDDERS: Mapping[str, Callable[[], EmbedUpstream]] = MappingProxyType(
    {"openai": OpenAIEmbedder, "ollama": OllamaEmbedder}
)
"""By upstream kind; Anthropic has no embeddings."""
