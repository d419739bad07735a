import json
import math

import pytest
import torch

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.table import read_table
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.model import read_task_model
from mm_memgpt.tasks.span import Span, answerable, best_threshold, null_places, placed
from mm_memgpt.training.finetune import finetune
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.types import InputError

COLUMNS = {"text": "question", "text_pair": "context", "label": "answers", "starts": "starts"}
ROWS = [
    ("Who sings?", "The old choir of Leeds sings at noon.", ["choir of Leeds"], [8]),
    ("When?", "The old choir of Leeds sings at noon.", ["at noon", "noon"], [29, 32]),
    ("Where?", "The old choir sings.", [], []),
    ("在?", "我住在北京", ["北京"], [3]),
    ("أين؟", "أنا في القاهرة", ["القاهرة"], [7]),
]


def rows_of(*rows):
    return [dict(zip(("question", "context", "answers", "starts"), row, strict=True)) for row in rows]


@pytest.fixture
def table(tmp_path):
    """`table(rows)`: questions, passages and answers as a JSON lines table."""

    def write(rows=None):
        path = tmp_path / "rows.jsonl"
        lines = [json.dumps(row) for row in (rows_of(*ROWS) if rows is None else rows)]
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_table(path)

    return write


def task_and_examples(table, **options):
    task = Span.learn({key: name for key, name in COLUMNS.items() if name in table.columns}, table, options)
    return task, [task.example(table, index) for index in range(len(table))]


def asked(question, context):
    return Example(Inputs(text=question, text_pair=context))


@pytest.mark.parametrize("name", ["pieces", "bytes", "own"])
def test_a_few_rows_are_learned_by_heart_in_any_script_and_tokenizer(name, table, model_of, overfitted):
    task, examples = task_and_examples(table())
    model = model_of(task, name)
    assert overfitted(model, examples) < 0.05
    predictions = task.predict(model, examples)
    assert predictions[1].value in ("at noon", "noon")
    assert [each.value for each in predictions[2:]] == ["", "北京", "القاهرة"]
    assert predictions[0].value == "choir of Leeds"
    assert [each.details["no_answer"] for each in predictions] == [False, False, True, False, False]
    assert (predictions[0].details["start"], predictions[0].details["end"]) == (8, 22)
    assert all(0.3 < each.confidence <= 1 for each in predictions)
    assert task.score(predictions, examples).values["f1"].value == 1
    json.dumps([each.details for each in predictions])


def test_nano_answers_too(table, model_of, overfitted):
    task, examples = task_and_examples(table())
    model = model_of(task, "nano").requires_grad_(False)
    model.head.requires_grad_(True)
    before = overfitted(model, examples, steps=0)
    assert overfitted(model, examples, steps=60, rate=1e-1) < before / 2


def test_the_windows_of_a_passage_share_one_softmax(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task, longest=24, stride=3)
    batch = task.collate(model.backbone.processor)(examples[1:2])
    outputs = model(batch).detach()
    n, t = batch["part"].shape[1:]
    assert n > 1
    allowed = [
        place
        for place in range(n * t)
        if place == 0 or (batch["part"].flatten()[place] == 1 and batch["offsets"].flatten(0, 2)[place].diff() > 0)
    ]
    expected = []
    for which in (0, 1):
        scores = outputs[0, allowed, which]
        right = torch.tensor([bool(batch["labels"][0, place, which]) for place in allowed])
        expected.append(-(scores[right].exp().sum() / scores.exp().sum()).log())
    assert task.loss(outputs, batch).item() == pytest.approx(sum(expected).item() / 2, rel=1e-5)


def test_padding_changes_nothing(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task, longest=20, stride=4)
    together, alone = task.predict(model, examples), [task.predict(model, [example])[0] for example in examples]
    assert [each.value for each in together] == [each.value for each in alone]
    assert [each.confidence for each in together] == pytest.approx([each.confidence for each in alone], abs=1e-5)


def test_windows_say_the_same_where_the_passage_fits(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task, over="head")
    whole = task.predict(model, examples)
    model.backbone.processor.fit = model_of(task, over="windows", stride=5).backbone.processor.fit
    assert task.predict(model, examples) == whole


def test_the_piece_said_is_the_best_of_all(table, model_of):
    task, examples = task_and_examples(table(), max_answer=4)
    model = model_of(task, longest=16, stride=2)
    batch = model.prepare([examples[0].inputs])
    begins, ends = model(batch)[0].detach().T
    n, t = batch["part"].shape[1:]
    can, offsets = answerable(batch).flatten(), batch["offsets"].flatten(0, 2)
    pieces = {
        (i, j): (begins[i] + ends[j]).item()
        for i in range(n * t)
        for j in range(i, min(i + 4, (i // t + 1) * t))
        if can[i] and can[j]
    }
    i, j = max(pieces, key=pieces.__getitem__)
    null = (begins[0] + ends[0]).item()
    [said] = task.predict(model, examples[:1])
    assert (said.details["start"], said.details["end"]) == (offsets[i, 0].item(), offsets[j, 1].item())
    assert said.details["null_score"] == pytest.approx(null, abs=1e-5)
    total = math.log(sum(map(math.exp, [*pieces.values(), null])))
    assert said.confidence == pytest.approx(math.exp(max(null, pieces[i, j]) - total), abs=1e-5)


def test_a_passage_of_20000_characters_is_read_to_its_end(table, model_of, overfitted):
    context = "the " * 4990 + "choir of Leeds in the end, the end."
    row = ("Who?", context, ["choir of Leeds"], [context.index("choir")])
    task, examples = task_and_examples(table(rows_of(row)))
    model = model_of(task, longest=128, stride=8)
    overfitted(model, examples, steps=20)
    [said] = task.predict(model, examples)
    assert said.value == "choir of Leeds"


def test_an_answer_in_two_windows_is_right_in_both(table, model_of):
    task, examples = task_and_examples(table(rows_of(("Who?", "a b c d e f g h i j k", ["g"], [12]))))
    batch = task.collate(model_of(task, longest=14, stride=3).backbone.processor)(examples)
    assert batch["labels"].sum(1).tolist() == [[2, 2]]


def test_an_answer_that_no_window_has_whole_teaches_nothing(table, model_of):
    task, examples = task_and_examples(table(rows_of(("Who?", "a b c d e f g h i j k", ["i j"], [16]))))
    model = model_of(task, longest=14, stride=0)
    batch = task.collate(model.backbone.processor)(examples)
    assert batch["part"].shape[1] == 2
    assert not batch["labels"].any()
    loss = model.task.objective(model, batch)["loss"]
    loss.backward()
    assert loss.item() == 0
    assert task.collate(model_of(task, longest=14, stride=3).backbone.processor)(examples)["labels"].any()


def test_an_empty_passage_has_no_answer(table, model_of):
    task, _ = task_and_examples(table())
    [said, other] = task.predict(model_of(task), [asked("Who?", ""), asked("Who?", "the choir")])
    assert (said.value, said.confidence, said.details["score"], said.details["no_answer"]) == ("", 1.0, None, True)
    assert other.details["score"] is not None


def test_a_tokenizer_without_special_tokens_has_a_place_for_no_answer():
    batch = {"part": torch.tensor([[[0, 0, 1, -1]]]), "attention_mask": torch.tensor([[[1, 1, 1, 0]]])}
    assert null_places(batch).tolist() == [0]


def test_an_answer_is_found_where_no_column_says_where(table):
    rows = [{key: value for key, value in row.items() if key != "starts"} for row in rows_of(*ROWS)]
    _, examples = task_and_examples(table(rows))
    assert [example.target.spans for example in examples[:3]] == [((8, 22),), ((29, 36), (32, 36)), ()]


def test_spaces_around_an_answer_are_not_learned(table):
    _, examples = task_and_examples(table(rows_of(("Who?", "the old choir sings", [" choir "], [7]))))
    assert examples[0].target.spans == ((8, 13),)


@pytest.mark.parametrize(("answers", "starts"), [([], []), ([""], [0]), ("", None), (None, None)])
def test_no_answer_may_be_written_in_any_way(answers, starts, table):
    task = Span(COLUMNS)
    assert task.example(table(rows_of(("Who?", "the choir", answers, starts))), 0).target == ((), ())


@pytest.mark.parametrize(
    ("answers", "starts", "message"),
    [
        (["choir"], [5], "the answer 'choir' does not stand at character 5 of context"),
        (["band"], None, "the answer 'band' does not stand in context"),
        (["choir"], [4, 5], "1 answers and 2 places in starts"),
        (["choir"], ["four"], "are no places; give a list of whole numbers"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(answers, starts, message, table):
    rows = table(rows_of(("Who?", "the choir", answers, starts)))
    with pytest.raises(InputError, match=message) as error:
        Span(COLUMNS).example(rows, 0)
    assert str(error.value).startswith(rows.place(0))


def test_rows_without_an_answer_teach_nothing(table):
    with pytest.raises(InputError, match="no row has a usable answer in column 'answers'"):
        Span.learn(COLUMNS, table(rows_of(("Who?", "the choir", [], []))))


def test_the_threshold_is_what_gives_the_highest_figure():
    assert best_threshold([(-2, 1), (0, 1), (1, -1), (3, 0.5)]) == 0.5
    assert best_threshold([(-2, 0), (1, 1)]) == 1.5  # nothing to lose: an answer is said
    assert best_threshold([(-2, -1), (1, -1)]) == -3  # nor to win
    assert best_threshold([(0, 1), (0, -1), (1, -1)]) == 0.5  # equal margins stand or fall together


def test_the_threshold_is_settled_on_rows_and_kept(table, model_of, tmp_path):
    task, examples = task_and_examples(table())
    model = model_of(task)
    before = task.predict(model, examples)
    after = task.settle(before, examples)
    assert task.options["null_threshold"] != 0
    assert task.score(after, examples).values["f1"].value >= task.score(before, examples).values["f1"].value
    model.save(tmp_path / "model")
    again = read_task_model(tmp_path / "model")
    assert again.task.predict(again, examples) == after


def test_a_run_reads_in_windows_and_keeps_the_threshold_that_validation_chose(table, backbone_folders, tmp_path):
    rows = str(table().name)
    finetune(
        FinetuneRecipe(
            task="span",
            backbone=str(backbone_folders["pieces"]),
            train=rows,
            val=rows,
            output=str(tmp_path / "run"),
            epochs=2,
            checkpoints=1,
            **COLUMNS,
        )
    )
    said = json.loads((tmp_path / "run" / "task.json").read_text())
    assert said["texts"] == {"longest": 128, "over": "windows", "stride": 24}
    assert said["options"]["null_threshold"] != 0


def test_confidence_grows_where_the_answer_grows_likelier(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task, longest=24, stride=4)
    batch = model.prepare([example.inputs for example in examples])
    predictions = task.predict(model, examples)
    outputs = model(batch).detach().requires_grad_()
    said = task.confidence(outputs, batch, predictions)
    assert said.shape == (5,)
    said.sum().backward()
    assert (task.confidence(outputs.detach() + outputs.grad, batch, predictions) > said).all()


def test_an_answer_in_bytes_is_placed_from_its_first_to_its_last_token(table, model_of):
    task, examples = task_and_examples(table())
    batch = model_of(task, "bytes").prepare([examples[3].inputs])
    labels = placed(batch, [examples[3].target.spans])[0]
    begin, end = labels.int().argmax(0).tolist()
    assert end - begin > 1  # three bytes a letter, most of them tokens of their own
    assert batch["offsets"][0, 0, [begin, end]].tolist() == [[3, 4], [4, 5]]


def test_an_answer_without_a_token_is_refused():
    with pytest.raises(ValueError, match="max_answer 0 must be at least 1 token"):
        Span(COLUMNS, (), {"max_answer": 0})
