"""What the demo suggests: commands to type, and what is to be seen then.

The one rule: a scene is real work of the real engine; whoever types its command anywhere else sees the same.
"""

from __future__ import annotations

from bot.simulator.model import Suggestion


def scenes_of(version: str, site: str) -> tuple[Suggestion, ...]:
    """All of them, for the version that comes next and the site that the demo has made."""
    return (
        Suggestion(
            f"/vb run publish_release version={version}",
            "A release waits for Ana or Dana; move the page's clock 15 minutes, and Chen is asked too.",
        ),
        Suggestion(f"/vb run check_site url={site}", "A site fails at first, and is asked again."),
        Suggestion("/vb run cleanup folder=../downloads", "Old files are removed once Ana and then Chen have agreed."),
        Suggestion("/vb run draft_notes", "A correction: notes are too long, so a model changes the question."),
        Suggestion(
            "/vb run sum_up_feedback", "A rate limit: two questions wait for their turn, and go on by themselves."
        ),
        Suggestion(
            "/vb run translate_notice", "A budget: two alerts, then it is held until Dana presses Raise budget."
        ),
        Suggestion(f"/vb run warm_cache url={site}", "A dozen slow pages, three at a time, for the next command."),
        Suggestion(
            "/vb kill workflow:warm_cache The shop is slow",
            "A kill, by Dana, who is asked first; Lift on the card lets it go on.",
        ),
    )
