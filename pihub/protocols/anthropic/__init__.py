"""Anthropic messages: the wire format as clients and upstreams speak it.

Source: the Anthropic API reference, "Messages", "Streaming messages" and "Errors".
"""
