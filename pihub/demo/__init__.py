"""Simulated upstreams: an Ollama, a Claude and an OpenAI-compatible server in one process.

A leaf program: standard library only, nothing of the rest of pihub. Every answer says
that it is simulated, in its text and in the header `x-simulated: 1`.
"""
