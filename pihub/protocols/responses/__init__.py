"""OpenAI's Responses API as clients speak it; upstreams are asked by their chat endpoints.

Source: the OpenAI API reference, "Responses" and "Streaming events".
"""
