"""What the semantic cache would serve, right and wrong: guard and similarity, apart and together.

    python -m benchmarks.semantic --data DIR --endpoint URL --model NAME

DIR holds prompts, `*.jsonl` with a member `prompt` a line; URL is an Ollama (or what speaks its
/api/embed). Each prompt gets *twins* that are not the same question: another number, year, unit or
name, a negation more or less, an opposite. A twin that would be served is a wrong answer. The
paraphrases below are the same question in other words: what is not served of them is a miss.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import urllib.request
from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path

from pihub.domain.sameness import LONGEST, essence
from pihub.shared.meanings import dot, quantised

BATCH = 64
THRESHOLDS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
PARAPHRASES = (
    # courtesies, contractions, marks
    ("What is the capital of France?", "Tell me the capital of France, please."),
    ("What's the boiling point of ethanol?", "what is the boiling point of ethanol"),
    ("How do I reverse a list in Python?", "Hi! how do I reverse a list in Python? Thanks"),
    ("Explain photosynthesis.", "Please explain photosynthesis, thanks!"),
    ("Who wrote Faust?", "Do you know who wrote Faust?"),
    ("Give me a recipe for lentil soup", "recipe for lentil soup, please"),
    ("Why can't I log in?", "Why cannot I log in?"),
    ("List the planets of the solar system.", "Could you list the planets of the solar system?"),
    ("What is the population of Japan?", "What is Japan's population?"),
    ("How do I delete a photo?", "How do I remove a photograph?"),
    ("How do I fix a flat tire on a car?", "How do I repair a flat tire on an automobile?"),
    ("I'd like to know how vaccines work", "how vaccines work"),
    # really other words
    ("How do I reverse a list in Python?", "What's the way to reverse a Python list?"),
    ("How can I lose weight quickly?", "What is the fastest way to lose weight?"),
    ("Why is the sky blue?", "What makes the sky look blue?"),
    ("How long does it take to boil an egg?", "How many minutes should I boil an egg?"),
    ("What causes inflation?", "Why does inflation happen?"),
    ("How do I cook rice?", "What is the best method for cooking rice?"),
    ("Who painted the Mona Lisa?", "The Mona Lisa was painted by whom?"),
    ("When did World War II end?", "In which year did the Second World War end?"),
    ("How do I install Docker on Ubuntu?", "Steps for installing Docker under Ubuntu?"),
    ("What is the difference between TCP and UDP?", "How do TCP and UDP differ?"),
    ("How many people live in Canada?", "What is the population of Canada?"),
    ("Summarize the plot of Hamlet.", "Give a short summary of Hamlet's plot."),
    ("What are symptoms of the flu?", "How do I know that I have the flu?"),
    ("How do I write a cover letter?", "Give me tips for writing a cover letter."),
    ("What does CPU stand for?", "What is the meaning of the abbreviation CPU?"),
    ("Is it safe to drink tap water in Rome?", "Can I drink the tap water in Rome?"),
    ("How far away is the moon?", "What is the distance to the moon?"),
    ("Which language is spoken in Brazil?", "What language do people speak in Brazil?"),
    ("How do I center a div in CSS?", "CSS: centering a div?"),
    ("What is machine learning?", "Explain machine learning to me."),
    ("How do magnets work?", "What is the principle behind magnets?"),
    ("What time zone is Berlin in?", "Which time zone does Berlin use?"),
    ("How do I undo my last git commit?", "How can the last commit be undone in git?"),
    ("What should I feed a puppy?", "What food is good for a puppy?"),
    ("How do I get rid of ants?", "What helps against ants?"),
    ("Write a haiku about autumn.", "Compose an autumn haiku."),
    ("How old is the universe?", "What is the age of the universe?"),
    ("How can I improve my memory?", "What can I do to get a better memory?"),
    ("What is the tallest mountain?", "Which mountain is the highest?"),
    ("Was ist die Hauptstadt von Spanien?", "Wie heißt die Hauptstadt Spaniens?"),
    ("Wie koche ich Nudeln?", "Wie werden Nudeln gekocht?"),
    ("Warum ist der Himmel blau?", "Weshalb sieht der Himmel blau aus?"),
)  # fmt: skip
"""The first twelve are the same but for courtesies, marks and synonyms."""
NEAR = 12
OPPOSITES = dict(
    pair
    for one, two in (
        ("with", "without"), ("before", "after"), ("more", "less"), ("increase", "decrease"),
        ("largest", "smallest"), ("first", "last"), ("highest", "lowest"), ("above", "below"),
        ("best", "worst"), ("maximum", "minimum"), ("buy", "sell"), ("true", "false"),
        ("always", "never"), ("all", "some"), ("left", "right"), ("hot", "cold"), ("can", "must"),
        ("ascending", "descending"), ("advantages", "disadvantages"), ("odd", "even"),
    )
    for pair in ((one, two), (two, one))
)  # fmt: skip
UNITS = dict(
    pair
    for one, two in (
        ("miles", "kilometers"), ("dollars", "euros"), ("hours", "days"), ("minutes", "seconds"),
        ("pounds", "kilograms"), ("inches", "centimeters"), ("feet", "meters"),
        ("weeks", "months"), ("grams", "ounces"), ("cm", "mm"), ("percent", "points"),
    )
    for pair in ((one, two), (two, one))
)  # fmt: skip
_VERB = re.compile(r"\b(is|are|was|were|can|could|should|would|will|do|does|did)\b")
_ASKED = re.compile(r"(?:What|Who|When|Where|Why|How|Which)\b[^.!]*\?$")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b")


def prompts(folder: Path, longest: int) -> list[str]:
    """Distinct ones that may be compared at all, in a fixed order."""
    found = set()
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            text = json.loads(line).get("prompt")
            if isinstance(text, str) and len(text) <= longest and essence(text):
                found.add(text)
    return sorted(found)


def twins(texts: Sequence[str], each: int, rng: random.Random) -> dict[str, list[tuple[str, str]]]:
    """At most `each` pairs a kind, which differ in one place."""
    names = sorted({name for text in texts for name in _NAME.findall(text)})

    def number(found: re.Match[str]) -> str:
        return str(int(found[0]) + rng.choice((1, 2, 10)))

    def name(found: re.Match[str]) -> str:
        return rng.choice([one for one in rng.sample(names, 3) if one != found[0]])

    kinds: dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = {
        "number": (re.compile(r"(?<![\w.])\d{1,9}(?![\w.])"), number),
        "year": (re.compile(r"\b(?:19|20)\d\d\b"), number),
        "unit": (_one_of(UNITS), lambda found: UNITS[found[0]]),
        "opposite": (_one_of(OPPOSITES), lambda found: OPPOSITES[found[0]]),
        "name": (_NAME, name),
        "negation": (_VERB, lambda found: f"{found[0]} not"),
    }
    out: dict[str, list[tuple[str, str]]] = {}
    for kind, (where, change) in kinds.items():
        some = [text for text in texts if where.search(text)]
        out[kind] = []
        for text in rng.sample(some, min(each, len(some))):
            at = rng.choice(list(where.finditer(text)))
            out[kind].append((text, text[: at.start()] + change(at) + text[at.end() :]))
    return out


def reworded(
    texts: Sequence[str], each: int, rng: random.Random
) -> dict[str, list[tuple[str, str]]]:
    """The same questions of one line: with courtesies, without articles."""
    asked = [text for text in texts if _ASKED.match(text) and "\n" not in text]
    some = rng.sample(asked, min(each, len(asked)))
    return {
        "thanked": [(text, f"Hi! {text} Thanks!") for text in some],
        "asked": [(text, f"Could you please tell me {text[0].lower()}{text[1:]}") for text in some],
        "articles": [(text, text.replace(" the ", " ")) for text in some if " the " in text],
    }


def _one_of(words: dict[str, str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b")


class Encoder:
    """Quantised vectors of an endpoint, each text asked once."""

    def __init__(self, endpoint: str, model: str) -> None:
        self._url, self._model = endpoint.rstrip("/") + "/api/embed", model
        self._known: dict[str, bytes] = {}

    def learn(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for at in range(0, len(new), BATCH):
            some = new[at : at + BATCH]
            body = json.dumps({"model": self._model, "input": some}).encode()
            request = urllib.request.Request(self._url, body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=300) as response:
                vectors = json.load(response)["embeddings"]
            self._known |= zip(some, map(quantised, vectors), strict=True)

    def near(self, one: str, two: str) -> float:
        a, b = self._known[one], self._known[two]
        return dot(a, b) / sqrt(dot(a, a) * dot(b, b))


def shares(pairs: Sequence[tuple[str, str]], encoder: Encoder) -> dict[str, object]:
    """How many pairs there are, how many the guard lets pass, and the share that a threshold
    lets pass without it and with it."""
    encoder.learn([text for pair in pairs for text in pair])
    near = [(encoder.near(*pair), essence(pair[0]) == essence(pair[1])) for pair in pairs]
    most = max(len(pairs), 1)
    return {
        "pairs": len(pairs),
        "guard": sum(same for _, same in near),
        "passed": [pair for pair, (_, same) in zip(pairs, near, strict=True) if same][:20],
        "by similarity": {t: sum(n >= t for n, _ in near) / most for t in THRESHOLDS},
        "by both": {t: sum(n >= t and same for n, same in near) / most for t in THRESHOLDS},
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--endpoint", default="http://127.0.0.1:11434")
    parser.add_argument("--model", required=True)
    parser.add_argument("--each", type=int, default=400, help="twins of a kind")
    parser.add_argument("--longest", type=int, default=LONGEST, help="characters of a prompt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    texts = prompts(args.data, args.longest)
    encoder = Encoder(args.endpoint, args.model)
    made = twins(texts, args.each, random.Random(args.seed))
    same = reworded(texts, args.each, random.Random(args.seed))
    found = {
        "paraphrases, near": shares(PARAPHRASES[:NEAR], encoder),
        "paraphrases, far": shares(PARAPHRASES[NEAR:], encoder),
        **{f"reworded, {kind}": shares(pairs, encoder) for kind, pairs in same.items()},
        **{f"twins, {kind}": shares(pairs, encoder) for kind, pairs in made.items()},
    }
    print(f"{len(texts)} prompts of at most {args.longest} characters; shares that would be served")
    print(f"{'':20}{'pairs':>6}{'guard':>6}" + "".join(f"{t:>7}" for t in THRESHOLDS))
    for name, one in found.items():
        for how in ("by similarity", "by both"):
            row: dict[float, float] = one[how]  # type: ignore[assignment]
            cells = "".join(f"{row[t]:7.0%}" for t in THRESHOLDS)
            print(f"{name:20}{one['pairs']:>6}{one['guard']:>6}{cells}  {how}")
    for name, one in found.items():
        if name.startswith("twins"):
            for pair in one["passed"]:  # type: ignore[attr-defined]
                print(f"wrong, {name}: {pair}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    return int(any(one["guard"] for name, one in found.items() if name.startswith("twins")))


if __name__ == "__main__":
    sys.exit(main())
