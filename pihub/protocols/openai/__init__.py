"""OpenAI chat completions: the wire format as clients and upstreams speak it.

Source: the OpenAI API reference, "Chat Completions" and its streaming events, and what
compatible servers (llama.cpp, vLLM, LM Studio) are known to send instead.
"""
