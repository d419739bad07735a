import pytest

from mm_memgpt.tasks.decoding import Decoding


def test_the_defaults_are_greedy_and_say_nothing_of_sampling():
    arguments = Decoding().arguments()
    assert arguments["do_sample"] is False
    assert arguments["num_beams"] == 1
    assert not {"temperature", "top_p", "top_k", "length_penalty"} & arguments.keys()


def test_choices_reach_the_library_by_its_names():
    drawn = Decoding(sample=True, temperature=0.7, top_p=0.9, top_k=5, longest=7, shortest=2).arguments()
    assert (drawn["temperature"], drawn["top_p"], drawn["top_k"]) == (0.7, 0.9, 5)
    assert (drawn["max_new_tokens"], drawn["min_new_tokens"]) == (7, 2)
    assert Decoding(beams=3, length_penalty=0.5).arguments()["length_penalty"] == 0.5


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"longest": 0}, "longest 0 must be at least 1"),
        ({"shortest": -1}, "shortest -1 must be at least 0"),
        ({"shortest": 70}, "shortest 70 is above longest 64"),
        ({"beams": 0}, "beams 0 must be at least 1"),
        ({"sample": True, "temperature": 0.0}, "temperature 0.0 must be above 0"),
        ({"sample": True, "top_p": 1.5}, "top_p 1.5 must be above 0 and at most 1"),
        ({"temperature": 0.7}, "are of sampling; set sample as well"),
        ({"seed": 3}, "are of sampling; set sample as well"),
    ],
)
def test_what_cannot_be_is_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**choices)
