"""The smallest reading there is: a message means the intent whose name is its first word; the rest is as real ones say it."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.training_data.message import Message


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class Reading(GraphComponent):
    """'complaint about rain' is a complaint; 'nothing' is no intent at all; 'explode' raises."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Reading:
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            word = (message.get("text").split() or ["nothing"])[0].strip("\u2044/.")
            if word == "explode":
                raise RuntimeError("a component broke over: " + message.get("text"))
            intent = {"name": None if word == "nothing" else word, "confidence": 0.9}
            ranking = [intent, *({"name": name, "confidence": 0.01} for name in ("greet", "help", "cancel"))]
            message.set("intent", intent, add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
            message.set("category", {"name": "digital_service", "confidence": 0.7}, add_to_output=True)
            message.set("language", {"name": "en", "confidence": 1.0}, add_to_output=True)
            message.set("services", [{"id": "passport", "confidence": 0.6}], add_to_output=True)
            message.set("flags", ["danger"] if "fire" in message.get("text") else [], add_to_output=True)
        return messages
