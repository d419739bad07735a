"""A chat from piped input: what was said is quoted with where it was said, and nothing is answered with itself.

Notable: the model is tiny and its weights random; sentences are found by their words.
"""

import io
import signal
import sys

import pytest

from mm_memgpt.cli import main
from mm_memgpt.commands.chat import interruptible
from mm_memgpt.pipeline import load

FILLER = [f"We planted {count} roses in row {count}." for count in range(50)]


@pytest.fixture
def chat(tiny_model_folder, tmp_path, monkeypatch, capsys):
    """`chat("line", ..., memory="m")`: exit status, lines on standard output and on standard error."""
    monkeypatch.chdir(tmp_path)

    def talk(*lines: str, memory: str | None = "m", writes: bool = False) -> tuple[int, list[str], list[str]]:
        typed = "".join(f"{line}\n" for line in lines).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        if not writes:  # the tiny model perceives, and what it would write is random
            monkeypatch.setattr("mm_memgpt.tasks.writing_model.read_writer", lambda *_: None)
        capsys.readouterr()
        place = () if memory is None else ("--memory", memory)
        status = main(["chat", *place, "--model", str(tiny_model_folder), "--device", "cpu"])
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return talk


def test_what_was_said_fifty_turns_ago_is_quoted_and_named(chat):
    said = "My locker has the code 4711."
    status, output, _ = chat(said, *FILLER, "What is the code of my locker?")
    assert status == 0
    assert output[:51] == ["Noted."] * 51
    assert output[51] == f'"{said}"'
    assert output[52].startswith("  (chat 20")


def test_a_statement_is_noted_and_a_question_that_nothing_answers_is_said_to_be(chat):
    said = ["The red key is in the hall.", "The red key is in the hall.", "Who painted the church?"]
    assert chat(*said)[1] == ["Noted.", "Noted.", "Nothing I remember says that."]


def test_the_next_chat_knows_it_and_a_question_asked_before_is_no_answer(chat):
    chat("The red key is in the hall.", "Where is the red key?")
    assert chat("Where is the red key?")[1][0] == '"The red key is in the hall."'


def test_without_a_memory_the_end_is_the_end(chat, tmp_path):
    _, output, errors = chat("The red key is in the hall.", "Where is the red key?", memory=None)
    assert output[1] == '"The red key is in the hall."'
    assert "forgotten at the end" in errors[0]
    assert not (tmp_path / "m").exists()


def test_slash_commands_remember_show_and_forget(chat, tmp_path):
    (tmp_path / "notes.txt").write_text("The train to Ulm leaves at 9:15. It stops in Bonn.")
    status, output, errors = chat(
        "/remember notes.txt",
        "/remember The lamp is in the attic.",
        "/sources",
        "When does the train to Ulm leave?",
        "/sources",
        "/memory",
        f"/forget {tmp_path / 'notes.txt'}",
        "When does the train to Ulm leave?",
        "/quit",
        "never said",
    )
    assert (status, errors[1:]) == (0, [])
    assert output[0] == f"remembered 2 items of {tmp_path / 'notes.txt'}"
    assert output[2] == "no answer yet that rests on the memory"
    assert output[3] == '"The train to Ulm leaves at 9:15."'
    assert output[5].startswith(f"1  {tmp_path / 'notes.txt'} [")
    assert any(line.startswith("m: 4 items (4 text)") for line in output)
    assert any(line.startswith(f"forgot {tmp_path / 'notes.txt'}: 2 items") for line in output)
    assert output[-1] == "Nothing I remember says that."


def test_one_item_that_the_last_answer_rests_on_is_forgotten_by_its_number(chat, tiny_model_folder):
    chat("The red key is in the hall.", "The lamp is in the attic.", "Where is the red key?", "/forget 1")
    with load(tiny_model_folder, device="cpu").memory("m", read_only=True) as memory:
        texts = {stored.item.text for stored in memory.store.archive.since()}
    assert texts == {"The lamp is in the attic.", "Where is the red key?"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/rember it", "/rember: no such command; did you mean /remember?"),
        ("/", "/: no such command; try /help"),
        ("/remember", "/remember: nothing named"),
        ("/remember gone.txt", "gone.txt: no such file"),
        ("/forget", "/forget: nothing named"),
        ("/forget nobody", "nobody: nothing of it is in m"),
    ],
)
def test_a_bad_command_costs_one_line_and_the_talk_goes_on(chat, line, message):
    status, output, errors = chat(line, "The lamp is in the attic.")
    assert status == 1
    assert output == ["Noted."]
    assert len(errors) == 2
    assert message in errors[1]


def test_what_nothing_answers_the_model_writes(chat):
    status, output, errors = chat("Hello.", writes=True)
    assert (status, len(errors)) == (0, 1)
    assert output != ["Noted."]


def test_ctrl_c_within_writing_is_a_wish_and_no_exception():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as stopped:
        assert not stopped()
        signal.raise_signal(signal.SIGINT)
        assert stopped()
    assert signal.getsignal(signal.SIGINT) is before
