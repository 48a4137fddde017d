"""[prompts]: what is looked for in prompts, and what is done about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from pihub.domain.prompt_mode import MODES, PromptMode, strictest
from pihub.settings.faults import Faults
from pihub.settings.section import Section

if TYPE_CHECKING:
    from pihub.settings.schema import Settings

Check = Literal[
    "secrets", "cards", "ibans", "ids", "emails", "phones", "addresses", "injection", "hidden"
]
_KEY = re.compile(r"([1-9][0-9]{0,8})\s*=\s*([a-z-]+)\s*")


class Prompts(Section, frozen=True):
    mode: PromptMode = "off"
    """Of keys that `keys` does not name."""
    keys: list[str] = []
    """`NUMBER=mode`, by the number that `pihub keys list` shows."""
    checks: list[Check] = msgspec.field(
        default_factory=lambda: [
            "secrets", "cards", "ibans", "ids", "emails", "phones", "injection", "hidden"
        ]
    )
    injection_at: Annotated[int, msgspec.Meta(ge=1, le=100)] = 60
    """Points from which a text is noted as an attempt to give other orders."""
    max_text: str = "1MB"
    """Text of one prompt that is judged. RAM: about three times that much, while it is."""

    def watches(self, key: int) -> bool:
        """Whether the prompts of a key are judged, whatever the model."""
        return self.of_key(key) != "off"

    def of_key(self, key: int) -> PromptMode:
        """The mode of a key; the settings' check has refused what is malformed."""
        for text in self.keys:
            found = _KEY.fullmatch(text)
            if found is not None and int(found[1]) == key:
                return next(mode for mode in MODES if mode == found[2])
        return self.mode

    def of_model(self, settings: Settings, name: str) -> PromptMode:
        """The mode of a model by any of its names: a target has the strictest of the models
        whose chains hold it."""
        model = settings.models.get(name) or settings.models.get(name.removesuffix(":latest"))
        if model is not None:
            return model.prompts
        return strictest(
            *(
                one.prompts
                for one in settings.models.values()
                if any(name in (text, text.partition("/")[2]) for text in one.chain)
            )
        )


def check(settings: Settings, faults: Faults) -> None:
    """Keys and their modes."""
    for text in settings.prompts.keys:
        found = _KEY.fullmatch(text)
        if found is None or found[2] not in MODES:
            faults.add(
                ("prompts", "keys"),
                f'"{text[:40]}" must be NUMBER=mode, such as "3=redact-then-cloud"; modes: '
                + ", ".join(MODES),
            )
