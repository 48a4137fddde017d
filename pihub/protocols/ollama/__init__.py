"""Ollama's native chat: the wire format as clients and upstreams speak it.

Source: Ollama's API documentation, "Generate a chat completion". Its OpenAI-compatible
`/v1` is not used: it drops or renames part of what the native format can say.
"""
