"""The receipt on the page holds what the receipt says: what went, from where, and every check with what it found."""

import pytest

from mm_memgpt.memory.forgetting import Check, Receipt
from mm_memgpt.serve.memory_receipt import ANEW, MERGED, receipt

GIVEN = {
    "source": "<cat>.jpg",
    "items": 3,
    "slots": (2, 7),
    "emptied": (7,),
    "checks": (Check("vector search", True, "0 of 3 (3 before)"), Check("raw bytes", True, "0 of <9>")),
    "seconds": 1.26,
}


def test_it_says_what_went_and_what_each_check_found():
    html = receipt(Receipt(**GIVEN, rebuilt=False))
    assert "Forgotten: &lt;cat&gt;.jpg" in html
    assert "3 items in 2 slots (1 of them now empty), and the file that was given. 2 checks in 1.3 seconds." in html
    assert "<tr><td>vector search</td><td>yes</td><td>0 of 3 (3 before)</td></tr>" in html
    assert "<tr><td>raw bytes</td><td>yes</td><td>0 of &lt;9&gt;</td></tr>" in html


@pytest.mark.parametrize(("rebuilt", "says"), [(False, MERGED), (True, ANEW)])
def test_it_says_what_became_of_merges(rebuilt, says):
    assert says in receipt(Receipt(**GIVEN, rebuilt=rebuilt))
