"""The language of a message: by its script where the script decides, by the model where it does not."""

from __future__ import annotations

from typing import Any, Dict, List, Text

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.arabic.language import DECIDED, read
from nlu.components.heads import LANGUAGE


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class LanguageByScript(GraphComponent):
    """Overrules the model's `language` where letters or telling words leave no doubt, and takes it away where there is none.

    «وين معاملتي» is `ar` whatever the model says; `wen mo3amalti` is what the model says; «٣» has no language.
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
    ) -> LanguageByScript:
        return cls()

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            found = read(message.get(TEXT) or "")
            if found.language is None:
                message.set(LANGUAGE, None, add_to_output=True)
            elif found.confidence >= DECIDED or message.get(LANGUAGE) is None:
                answer = {"name": found.language, "confidence": round(found.confidence, 4)}
                message.set(LANGUAGE, answer, add_to_output=True)
        return messages
