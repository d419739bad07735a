"""The receipt of a source that was forgotten, as HTML: how much went, and every check that nothing is left."""

from html import escape

from mm_memgpt.memory.forgetting import Check, Receipt
from mm_memgpt.serve.memory_timeline import counted

MERGED = "What had merged with other things was taken out of its slot; the other things stay merged."
ANEW = "The memory was put together anew from what is left."


def receipt(given: Receipt) -> str:
    """What was forgotten, a row a check, and what became of the rest.

    Args:
        given: the receipt.
    """
    slots = f"{counted(len(given.slots), 'slot')} ({len(given.emptied)} of them now empty)"
    went = f"{counted(given.items, 'item')} in {slots}, and the file that was given"
    rows = "".join(map(_row, given.checks))
    return (
        f'<div class="mm-receipt" role="status"><p class="mm-now">Forgotten: {escape(given.source)}</p>'
        f'<p class="mm-facts">{went}. {counted(len(given.checks), "check")} in {given.seconds:.1f} seconds. '
        f"{ANEW if given.rebuilt else MERGED}</p>"
        '<table class="mm-checks"><thead><tr><th>Check</th><th>Passed</th><th>What was found</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(check: Check) -> str:
    return (
        f"<tr><td>{escape(check.name)}</td><td>{'yes' if check.passed else 'no'}</td>"
        f"<td>{escape(check.figure)}</td></tr>"
    )
