"""Help: all words, one word with its examples, and what was probably meant.

The one rule: it is made from the vocabulary, so that nothing is told that cannot be typed, and everything can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.blocks.forms import View
from bot.blocks.kit import SECTION_LIMIT, Message, actions, button, clip_markup, escape, section
from bot.blocks.replies import RunLine, mistake, paragraphs, said
from bot.blocks.vocabulary import WORDS, Word
from bot.blocks.words import one_line, short_id
from engine.core.words import nearest

FILL_IN = "fill_in"
"""The action of the button that opens a form which a mention could not open."""

LONGEST_VALUE = 2_000


def usage(command: str) -> Message:
    """All that can be typed after ``command``, one line for each word."""
    lines = [f"• `{command} {word.usages[0].typed}` {word.usages[0].does}" for word in WORDS.values()]
    more = f"More about one of them, with examples: `{command} help WORD`."
    return paragraphs(["Workflows, with approvals where you say so. Type:", *lines, more])


def about(command: str, word: Word) -> Message:
    """One word: what can be typed, what that does, who may, and examples that work."""
    lines = [f"`{command} {usage.typed}` {usage.does}." for usage in word.usages]
    if word.more:
        lines.append(word.more)
    if word.role is not None:
        lines.append(f"It takes the role *{word.role}*.")
    examples = "\n".join(f"`{command} {example}`" for example in word.examples)
    return paragraphs([*lines, f"For example:\n{examples}"])


def unknown_word(command: str, word: str, workflows: Iterable[str]) -> Message:
    """The nearest word, or the workflow that was probably meant, or everything there is."""
    meant = nearest(word, [*workflows, *WORDS])
    problem = f"There is no `{command} {_quoted(word)}`"
    if meant in WORDS:
        return said(f"{problem}; did you mean `{command} {meant}`?")
    if meant:
        return said(f"{problem}; did you mean `{command} run {meant}`?")
    return said(f"{problem}. There is: {', '.join(f'`{each}`' for each in WORDS)}. `{command} help` explains them.")


def needs_a_run(command: str, word: str, runs: Sequence[RunLine]) -> Message:
    """A run's id is missing from the command."""
    example = f"{command} {word} {short_id(runs[0].id)}" if runs else ""
    return mistake(f"Which run? Write the start of its id after `{word}`; `{command} runs` lists them.", example)


def incomplete(command: str, word: Word, problem: str) -> Message:
    """Something is missing from, or wrong in, what follows the word. ``problem`` is mrkdwn, without a full stop."""
    problem = problem if problem.endswith("?") else f"{problem}."
    usages = "\n".join(f"`{command} {usage.typed}`" for usage in word.usages)
    return Message(clip_markup(f"{problem} Write:\n{usages}\nFor example: `{command} {word.examples[-1]}`", 3_000))


def offer(view: View, value: str) -> Message:
    """A form that cannot be opened by itself, as after a mention: what it is for, and a button that opens it."""
    first = view["blocks"][0]
    wrong = first["text"]["text"] if first["type"] == "section" and first["text"]["text"].startswith("✗") else ""
    lead = f"*{escape(view['title']['text'])}* takes a form."
    told = clip_markup("\n".join(part for part in (lead, wrong) if part), SECTION_LIMIT)
    if not value:
        return said(f"{told}\nWrite all of it after the mention, or use `/vb` in the channel, which opens it.")
    return Message(told, (section(told), actions("offer", [button("Open it", FILL_IN, value, "primary")])))


def _quoted(word: str) -> str:
    return one_line(word, 40).replace("`", "")
