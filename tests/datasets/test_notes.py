"""A made note answers its own question, and names its value by the place in the list."""

from random import Random

from mm_memgpt.datasets.notes import ASKED, STATED, make_note


def test_every_form_has_its_question():
    assert ASKED.keys() == STATED.keys()
    assert len(set(ASKED.values())) == len(ASKED)


def test_a_note_states_its_value_about_what_it_is_asked_for():
    generator = Random("notes")
    notes = [make_note(generator) for _ in range(500)]
    for note in notes:
        [(form, question)] = [
            (form, asked) for form, asked in ASKED.items() if note.question.startswith(asked.split("{")[0])
        ]
        about = note.question.removeprefix(question.split("{}")[0]).removesuffix(question.split("{}")[1])
        assert note.text == form.format(about, note.value)
        assert STATED[form][note.number] == note.value
    assert len({note.text for note in notes}) > 400
