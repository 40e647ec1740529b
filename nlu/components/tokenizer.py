"""Words of a message, folded; the message itself is not touched."""

from __future__ import annotations

from typing import Any, Dict, List, Text

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message

from nlu.arabic.fold import tokens

# The most characters of a message that any component reads. Whatever is longer is still a message: its end is not read.
READ = 2_000


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class FoldingTokenizer(Tokenizer):
    """Splits a message into folded words whose offsets point into the message as it was written.

    «إِشْتِرااااك ٢٠٢٤» has the tokens `اشتراك` (0–12) and `2024` (13–17), and the text stays «إِشْتِرااااك ٢٠٢٤».
    """

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            # Rasa's own tokenizers ask for these two; our intents are single words.
            "intent_tokenization_flag": False,
            "intent_split_symbol": "_",
        }

    def tokenize(self, message: Message, attribute: Text) -> List[Token]:
        text = (message.get(attribute) or "")[:READ]
        return [Token(token.text, token.start, token.end) for token in tokens(text)]
