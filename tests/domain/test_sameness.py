"""The guard: a table of questions that look alike to an encoder and are not the same."""

from __future__ import annotations

import pytest

from pihub.domain.chat import Answer, StopReason, Text
from pihub.domain.sameness import LONGEST, answers_agree, essence

DIFFERENT = [
    # with and without, negations
    ("How do I make coffee with sugar?", "How do I make coffee without sugar?"),
    ("Is it safe to eat raw eggs?", "Is it not safe to eat raw eggs?"),
    ("Which foods should I eat?", "Which foods should I never eat?"),
    ("Can dogs eat grapes?", "Can't dogs eat grapes?"),
    ("Why can I log in?", "Why can I not log in?"),
    ("Wie koche ich mit Salz?", "Wie koche ich ohne Salz?"),
    ("Ist das gesund?", "Ist das nicht gesund?"),
    ("Ich habe Zeit, was tun?", "Ich habe keine Zeit, was tun?"),
    # numbers, dates, times
    ("Who won the election in 2023?", "Who won the election in 2024?"),
    ("What is 12 * 13?", "What is 13 * 14?"),
    ("What is 5 + 3?", "What is 5 - 3?"),
    ("Convert 1.5 km to miles", "Convert 15 km to miles"),
    ("Remind me at 10:30", "Remind me at 10:50"),
    ("Name three rivers", "Name four rivers"),
    ("Who was the first president?", "Who was the second president?"),
    ("What happened on 3/4?", "What happened on 4/3?"),
    # names
    ("How is the weather in Berlin?", "How is the weather in Bern?"),
    ("how is the weather in berlin", "how is the weather in bern"),
    ("What is the capital of Austria?", "What is the capital of Australia?"),
    ("Who is Michael Jordan?", "Who is Michael Jackson?"),
    ("When was Marie Curie born?", "When was Pierre Curie born?"),
    ("How do I install Java?", "How do I install JavaScript?"),
    ("Polish the silver", "polish the gold"),
    ("Do I polish furniture daily?", "Do I Polish furniture daily?"),
    # units and currencies
    ("How much is 5 miles?", "How much is 5 kilometers?"),
    ("Set the oven to 200 C", "Set the oven to 200 F"),
    ("What are 100 $ worth?", "What are 100 € worth?"),
    ("How tall is it in cm?", "How tall is it in mm?"),
    # before and after, directions
    ("Should I eat before running?", "Should I eat after running?"),
    ("Convert 5 USD to EUR", "Convert 5 EUR to USD"),
    ("Translate 'house' from German to English", "Translate 'house' from English to German"),
    ("How do I get from Ulm to Wien?", "How do I get from Wien to Ulm?"),
    ("How do I move up the list?", "How do I move down the list?"),
    ("Does it open into the room?", "Does it open out of the room?"),
    ("Is rent due by Monday?", "Is rent due on Monday?"),
    # antonyms
    ("How do I enable the firewall?", "How do I disable the firewall?"),
    ("How can I increase blood pressure?", "How can I decrease blood pressure?"),
    ("What is the largest planet?", "What is the smallest planet?"),
    ("How do I lock the door?", "How do I unlock the door?"),
    ("Should I buy gold now?", "Should I sell gold now?"),
    ("Is it legal to film police?", "Is it illegal to film police?"),
    ("How do I mount a disk?", "How do I unmount a disk?"),
    ("What is the best laptop?", "What is the worst laptop?"),
    ("Sort ascending", "Sort descending"),
    ("Wie aktiviere ich WLAN?", "Wie deaktiviere ich WLAN?"),
    ("List the advantages of tea", "List the disadvantages of tea"),
    # the order of operands
    ("Subtract 3 from 5", "Subtract 5 from 3"),
    ("Is a dog bigger than a cat?", "Is a cat bigger than a dog?"),
    ("Does a dog bite a man?", "Does a man bite a dog?"),
    ("What is 10 / 2?", "What is 2 / 10?"),
    ("Did Alice hit Bob?", "Did Bob hit Alice?"),
    # quoted text and code
    ('What does "sic" mean?', 'What does "sick" mean?'),
    ("What does `rm -r` do?", "What does `rm -f` do?"),
    ("What does `ls` do?", "What does `LS` do?"),
    ("Explain foo_bar", "Explain foo_baz"),
    ("Where is /etc/hosts?", "Where is /etc/host?"),
    ("Fix ```x = 1```", "Fix ```x = 2```"),
    ("Open https://a.example/x", "Open https://a.example/y"),
    # the question itself
    ("Where is Berlin?", "When is Berlin?"),
    ("Who is the president?", "Who was the president?"),
    ("How many people live there?", "How much people live there?"),
    ("Should I take aspirin?", "Can I take aspirin?"),
    ("List the planets", "Count the planets"),
    ("all users", "some users"),
    ("Is it always true?", "Is it sometimes true?"),
    # compounds, plurals, tenses, marks that count
    ("What is a dog house?", "What is a house dog?"),
    ("How is milk chocolate made?", "How is chocolate milk made?"),
    ("What is news?", "What is new?"),
    ("What are customs?", "What is custom?"),
    ("Is 5 am too early?", "Is 5 pm too early?"),
    ("Open at 5 am?", "Open at 5?"),
    ("How do I say please?", "How do I say thanks?"),
    ("What is hepatitis A?", "What is hepatitis?"),
    ("what is hepatitis a", "what is hepatitis"),
    ("Can you swim?", "Would you swim?"),
    ("Do you know Python?", "Python?"),
    ("Is well water safe?", "Is water safe?"),
    ("Let's eat, grandma", "Let's eat grandma"),
    ("No. More sugar?", "No more sugar?"),
    ("What is 5!?", "What is 5?"),
    ("What is 2 * (3 + 4)?", "What is (2 * 3) + 4?"),
    ("What is 5\u20133?", "What is 5 3?"),
    ('Is a 5" pipe wide?', "Is a 5 pipe wide?"),
    ("SELECT a, b; why?", "SELECT a b; why?"),
    ("if x:\n  a\n  b", "if x:\n  a\nb"),
    ("How do stars die?", "How do stars?"),
    ("Who are The Who?", "Who are who?"),
    ("Explain WHO", "Explain who"),
    ("What bug is this?", "What error is this?"),
    # languages
    ("What is Python?", "Was ist Python?"),
    ("Explain gravity in English", "Explain gravity in French"),
    ("Что такое ток?", "Что такое рот?"),
    ("東京の人口は?", "京都の人口は?"),
]
SAME = [
    ("What is the capital of France?", "what is the capital of France"),
    ("What is the capital of France?", "Tell me the capital of France, please."),
    ("What's the capital of France?", "Could you please tell me the capital of France? Thanks!"),
    ("What is the capital of France?", "Capital of France?"),
    ("How do I reverse a list in Python?", "Hi! how do I reverse a list in Python"),
    ("How do I fix a car?", "How do I repair an automobile?"),
    ("Why cannot I log in?", "why can’t I log in?"),
    ("What is the capital of France?", "What is France's capital?"),
    ("How do I delete a photo?", "How do I remove a photograph?"),
    ("Was ist die Hauptstadt von Spanien?", "Sag mir bitte die Hauptstadt von Spanien"),
    ("What does `ls` do?", "what does `ls` do"),
]


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_what_looks_alike_and_is_not(one: str, two: str) -> None:
    assert essence(one)
    assert essence(one) != essence(two)


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_is_only_worded_otherwise(one: str, two: str) -> None:
    assert essence(one) == essence(two)


@pytest.mark.parametrize("text", ["", "   ", "?!", "x" * (LONGEST + 1), "please"])
def test_what_says_nothing_is_never_the_same(text: str) -> None:
    assert essence(text) == ()


def answer(text: str) -> Answer:
    return Answer(id="1", model="m", blocks=(Text(text),), stop_reason=StopReason.END_TURN)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Paris.", "paris", True),
        ("Paris", "Lyon", False),
        ("The capital of France is Paris.", "Paris is the capital of France.", True),
        ("It takes 5 minutes to boil an egg", "It takes 7 minutes to boil an egg", False),
        ("You should eat it before you run", "You should not eat it before you run", False),
        ("Yes", "No", False),
        ("Water boils at sea level pressure", "Cats are small carnivorous mammals", False),
    ],
)
def test_answers_are_compared_strictly(one: str, two: str, same: bool) -> None:
    assert answers_agree(answer(one), answer(two)) is same
