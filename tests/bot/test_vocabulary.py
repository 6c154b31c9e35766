"""The words of ``/vb``: each is answered, explained, and told in the README as it is in the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bot.blocks import guide
from bot.blocks.vocabulary import WORDS, Word, table, usage_hint
from bot.listeners.commands import LISTENERS

ROOT = Path(__file__).parent.parent.parent


def test_every_word_is_answered_and_nothing_else_is() -> None:
    assert list(WORDS) == list(LISTENERS)


def test_the_readme_has_the_table_as_it_is() -> None:
    assert table("/vb") in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_manifest_has_the_hint_as_it_is() -> None:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    (command,) = manifest["features"]["slash_commands"]
    assert command["usage_hint"] == usage_hint()


@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
def test_a_word_is_explained_with_its_usages_and_examples_of_itself(word: Word) -> None:
    told = guide.about("/vb", word).text
    for line in (*(usage.typed for usage in word.usages), *word.examples):
        assert f"`/vb {line}`" in told
    assert all(re.match(rf"{word.name}\b|help {word.name}|redrive help|help", example) for example in word.examples)
    assert all(usage.typed.startswith(word.name) for usage in word.usages)
