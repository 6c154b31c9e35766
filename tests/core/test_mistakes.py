"""A file with many kinds of mistakes: each is told with its line, and says what to do."""

from __future__ import annotations

from tests.core.checking import DATA, found

TOLD = """\
4: input.sites.default: does not fit its own input: sites must be a whole number, such as 3; you gave many; \
change the default or the input
6: schedule[1].cron: 25 is no hour; the fields are minute, hour, day of the month, month, day of the week; \
such as 30 9 * * 1-5 for 09:30 on working days
9: steps.fetch.uses: there is no step named http.reqest; did you mean http.request?
13: steps.page.with.timeuot: http.request takes no timeuot; did you mean timeout?
14: steps.page.retry.attempts: must be at least 1 (you wrote 0)
16: steps.report.needs: these steps wait for each other: report -> verdict -> report; take one of these needs away
17: steps.report.set.size: steps.page.output has no boddy; did you mean body?
20: steps.verdict.set.ok: there is no name inputs; did you mean input? (in ${{ inputs.sites > 3 }})
23: steps.each.for_each.max_items: is missing; say how many items there may be, such as max_items: 50; \
more fail the step
23: steps.each.for_each.items: must be a list; this gives a whole number
28: steps.never.if: is always false, so that this step can never run; \
take the step away, or let its if depend on something
29: steps.never.set.at: there is no item here; it exists inside for_each; write such a loop around it
32: steps.call.workflow.name: there is no workflow unheard_of; there is: ten_mistakes
36: steps.tag.with: git.tag needs name, which is missing; add name to with
36: steps.tag.with.repo: must be text; it is a number; put it in quotes
37: steps.tag.undo.with.name: step later may not have ended when this runs; add later to needs
39: steps.later.loop: is not a word that belongs here; \
write for_each for a list of items, repeat for until a condition holds
"""


def test_all_mistakes_are_told_at_once() -> None:
    text = (DATA / "ten_mistakes.yaml").read_text(encoding="utf-8")
    assert found(text) == TOLD.splitlines()


def test_each_stands_on_the_line_of_what_is_wrong() -> None:
    lines = (DATA / "ten_mistakes.yaml").read_text(encoding="utf-8").splitlines()
    for told in TOLD.splitlines():
        number, path = told.split(": ")[:2]
        word = path.split(".")[-1].split("[")[0]
        assert word in lines[int(number) - 1] or "is missing" in told
