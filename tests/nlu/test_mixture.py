"""Two sides, one answer: shares that fit what was kept apart, and the linear heads alone where there is no vector."""

import numpy as np
import pytest
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message

from nlu.components.encoder import ENCODER_ANSWERS, Answers
from nlu.components.heads import LinearHeads
from nlu.components.mixture import MixedHeads, Share, best_share, learn, tuned_scores

CHANCE = np.random.default_rng(7)


def _circle():
    """Inside or outside a circle: no straight line parts them."""
    points = CHANCE.uniform(-1, 1, (2_000, 2)).astype(np.float32)
    inside = (points**2).sum(axis=1) < 0.5
    return points, inside.astype(int)


def _certain(answers):
    return np.eye(2, dtype=np.float32)[answers]


def test_the_network_learns_what_no_line_can_part():
    points, inside = _circle()
    network = learn(points, [_certain(inside)], hidden=32, epochs=60, rate=0.01, dropout=0.0, seed=0)
    assert (network.scores(points).argmax(axis=1) == inside).mean() > 0.95


def test_a_message_without_a_label_teaches_that_head_nothing():
    points, inside = _circle()
    unlabelled = np.zeros((len(points), 3), np.float32)
    network = learn(points, [_certain(inside), unlabelled], hidden=8, epochs=1, rate=0.01, dropout=0.0, seed=0)
    assert np.all(network.bias[2:] == 0)


def test_the_same_seed_gives_the_same_network():
    points, inside = _circle()
    one, other = (learn(points, [_certain(inside)], 8, 2, 0.01, 0.3, seed=1) for _ in range(2))
    assert all(np.array_equal(*parts) for parts in zip(one, other, strict=True))


def test_the_side_that_knows_gets_the_larger_share():
    wanted = CHANCE.integers(0, 2, 500)
    knows = 4 * _certain(wanted)
    guesses = CHANCE.normal(size=(500, 2))
    share = best_share([guesses, knows], wanted)
    assert share.meaning > 5 * share.pieces


def test_two_sides_too_sure_of_themselves_are_calmed():
    wanted = CHANCE.integers(0, 2, 500)
    said = np.where(CHANCE.random(500) < 0.7, wanted, 1 - wanted)
    sure = 10 * _certain(said)
    share = best_share([sure, sure], wanted)
    assert 10 * (share.pieces + share.meaning) < 3


def test_the_tuned_encoder_is_the_third_side():
    wanted = CHANCE.integers(0, 2, 500)
    guesses = CHANCE.normal(size=(500, 2))
    share = best_share([guesses, guesses, 4 * _certain(wanted)], wanted)
    assert share.tuned > 5 * max(share.pieces, share.meaning) and min(share) >= 0


def test_what_the_encoder_says_is_told_in_the_heads_order():
    message = Message.build("كم الرسوم")
    names = {"intent": ["complaint", "inquiry"], "language": ["ar", "en"]}
    message.set(ENCODER_ANSWERS, Answers(names, np.array([1.0, 2.0, 3.0, 4.0], np.float32)))
    blank = Message.build("")
    told = tuned_scores([message, blank], "language", ["en", "zh", "ar"])
    assert told.tolist() == [[4.0, 3.0, 3.0], [0.0, 0.0, 0.0]]
    assert tuned_scores([message], "service", ["none"]) is None
    assert tuned_scores([blank], "intent", ["inquiry"]) is None


@pytest.mark.parametrize(
    ("setting", "value"), [("hidden", 0), ("meaning_epochs", 1.5), ("meaning_seeds", 0), ("meaning_dropout", 1.0)]
)
def test_a_wrong_setting_is_named_with_what_is_expected(setting, value):
    with pytest.raises(InvalidConfigException, match=rf"{setting}.*expected"):
        MixedHeads.validate_config({**MixedHeads.get_default_config(), setting: value})


def test_untrained_it_says_nothing():
    message = Message.build("كم الرسوم")
    MixedHeads(MixedHeads.get_default_config(), None, None).process([message])
    assert message.get("intent") is None


def test_it_is_a_linear_head_with_more_settings():
    assert set(LinearHeads.get_default_config()) < set(MixedHeads.get_default_config())
    assert "«" in MixedHeads.__doc__
    assert Share(0.5, 0.5)._fields == ("pieces", "meaning", "tuned")


def test_a_message_without_a_vector_is_answered_by_its_pieces_alone(tiny_reader):
    blank, said = tiny_reader.read_all([" ", "كم رسوم الرخصة"])
    assert blank["intent"]["name"] and said["intent"]["name"]
    assert tiny_reader.read(" ")["intent"] == blank["intent"]
