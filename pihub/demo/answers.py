"""What a simulated model says: deterministic, plausible, and openly simulated.

The prompt can steer it: `[[tokens:200]]` asks for that many tokens, `[[say:TEXT]]` for
exactly that text, `[[think]]` for a thought before the answer, `[[sure:-2.5]]` for tokens of
about that log probability, and `[[tool:NAME {"json": "arguments"}]]` for a tool call (several
give parallel calls).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_TOKENS = 100_000
"""The longest answer: about 600 KB of text."""
THOUGHT = "The question is plain, so the answer can be short."

_TOKEN = re.compile(r"\s*\S+|\s+$")
_WANTED = re.compile(r"\[\[tokens:(\d{1,6})\]\]")
_WORD = re.compile(r"\w+")
_SAY = re.compile(r"\[\[say:(.*?)\]\]", re.DOTALL)
_SURE = re.compile(r"\[\[sure:(-?\d{1,3}(?:\.\d{1,3})?)\]\]")
_TOOL = re.compile(r"\[\[tool:([A-Za-z0-9_-]+)\s*(\{.*?\})?\s*\]\]", re.DOTALL)
_DIRECTIVE = re.compile(r"\s*\[\[(?:tokens|say|tool|think|sure)\b.*?\]\]\s*", re.DOTALL)
_FILLER = (
    " The box hums on the shelf and answers one small question after another,",
    " while the light on its side blinks as if it were counting the words,",
    " and nobody in the room needs to know which model wrote this sentence.",
)


@dataclass(slots=True)
class Plan:
    """The answer of one request, before it takes a vendor's form.

    `stop` is stop, length, stop_sequence or tools; `stop_text` the sequence met.
    """

    tokens: list[str]
    tools: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    thought: str = ""
    stop: str = "stop"
    stop_text: str = ""
    input_tokens: int = 0
    sure: float = -0.1
    """About the log probability of each token."""
    top: int | None = None
    """How many alternatives a token; None: nobody asked for probabilities."""

    def weighed(self, tokens: Sequence[str]) -> list[dict[str, Any]]:
        """The tokens' log probabilities in the form that OpenAI and Ollama share."""
        if self.top is None:
            return []
        return [_weighed(token, self.sure, self.top) for token in tokens]

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def thoughts(self) -> list[str]:
        """The thought, token by token."""
        return _TOKEN.findall(self.thought)

    @property
    def output_tokens(self) -> int:
        return len(self.tokens) + 12 * len(self.tools) + len(self.thought.split())


def wanted(body: dict[str, Any]) -> int | None:
    """`Plan.top` of a request in the words that OpenAI's chat and Ollama share."""
    return int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None


def _weighed(token: str, sure: float, top: int) -> dict[str, Any]:
    spread = hashlib.blake2b(token.encode(), digest_size=1).digest()[0] / 2560

    def entry(text: str, chance: float) -> dict[str, Any]:
        return {"token": text, "logprob": round(chance, 4), "bytes": list(text.encode())}

    others = [entry(f"{token}{n or ''}", sure - spread - n) for n in range(top)]
    return {**entry(token, sure - spread), "top_logprobs": others}


def vector(text: str, dimensions: int) -> list[float]:
    """A vector of numbers below 0.26 that depends on the text alone: the mean of its words', so
    that texts with the same words are near, in whatever order, as real encoders have it."""
    words = _WORD.findall(text.lower()) or [text]
    sums = [0.0] * dimensions
    for word in words:
        digest = hashlib.shake_128(word.encode()).digest(dimensions)
        sums = [total + byte - 127.5 for total, byte in zip(sums, digest, strict=True)]
    return [round(total / 510 / len(words), 6) for total in sums]


def count_tokens(text: str) -> int:
    """A rough count: words, and one more for each ten characters of a long word."""
    return sum(1 + len(word) // 10 for word in text.split())


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of typed parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts: list[str] = []
    for part in content:
        if isinstance(part, dict):
            if isinstance(part.get("text"), str):
                parts.append(part["text"])
            elif "content" in part:
                parts.append(text_of(part["content"]))
    return "\n".join(parts)


def plan(
    who: str,
    model: str,
    prompt: str,
    *,
    all_text: str,
    after_tool: bool = False,
    as_json: bool = False,
    max_tokens: int | None = None,
    stop: Sequence[str] = (),
    at_least: int = 0,
) -> Plan:
    """Decide the answer. `prompt` is the last turn's text, `all_text` all input,
    `at_least` a floor of tokens (a fault wants to cut after so many)."""
    result = Plan([], input_tokens=max(1, count_tokens(all_text)))
    if not after_tool:
        for name, arguments in _TOOL.findall(prompt):
            try:
                result.tools.append((name, json.loads(arguments or "{}")))
            except ValueError:
                result.tools.append((name, {"raw": arguments}))
    if sure := _SURE.search(prompt):
        result.sure = float(sure[1])
    if "[[think]]" in prompt:
        result.thought = THOUGHT
    if result.tools:
        result.stop = "tools"
        return result
    text = _text(who, model, prompt, after_tool, as_json)
    wanted = _WANTED.search(prompt)
    floor = min(MAX_TOKENS, max(at_least, int(wanted[1]) if wanted else 0))
    if wanted and not at_least:
        text = _grow(text, floor, exactly=True)
    elif floor and not as_json:
        text = _grow(text, floor, exactly=False)
    for sequence in stop:
        at = text.find(sequence) if sequence else -1
        if at >= 0:
            text, result.stop, result.stop_text = text[:at], "stop_sequence", sequence
    result.tokens = _TOKEN.findall(text)
    if max_tokens is not None and 0 <= max_tokens < len(result.tokens):
        result.tokens = result.tokens[:max_tokens]
        result.stop, result.stop_text = "length", ""
    return result


def _text(who: str, model: str, prompt: str, after_tool: bool, as_json: bool) -> str:
    said = _SAY.search(prompt)
    if said:
        return said[1]
    quote = " ".join(_DIRECTIVE.sub(" ", prompt).split())
    if len(quote) > 200:
        quote = quote[:199] + "…"
    if as_json:
        return json.dumps({"simulated": True, "model": model, "you_said": quote})
    if after_tool:
        return f'Simulated {who} answer from {model}: the tool returned "{quote}".'
    return f'Simulated {who} answer from {model}: you said "{quote}".'


def _grow(text: str, count: int, *, exactly: bool) -> str:
    """Filler sentences until there are `count` tokens; `exactly` also shortens."""
    tokens: list[str] = _TOKEN.findall(text)
    filler: list[str] = [token for line in _FILLER for token in _TOKEN.findall(line)]
    while len(tokens) < count:
        tokens += filler[: count - len(tokens)]
    return "".join(tokens[:count] if exactly else tokens)
