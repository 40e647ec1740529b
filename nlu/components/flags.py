"""Danger, insult and the wish for confidence, beside whatever the message wants."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Optional, Text

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.arabic.flags import danger_kind, flags
from nlu.arabic.fold import TABLES


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class Flags(GraphComponent):
    """Sets `flags`, any of danger, insult, confidential, and with danger `danger_kind`.

    «الحقونا في حريق بالعماره» has flags `["danger"]` and danger_kind `fire`; «رسوم شهادة السلامة من الحريق» has none.
    """

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {}

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Flags:
        return cls()

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(TABLES.glob("*.tsv")))).hexdigest()

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            text = message.get(TEXT) or ""
            found = flags(text)
            message.set("flags", found, add_to_output=True)
            if "danger" in found:
                message.set("danger_kind", danger_kind(text), add_to_output=True)
        return messages
