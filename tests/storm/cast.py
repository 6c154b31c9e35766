"""Whom and what a storm needs: a workspace with many approvers and channels, and the workflow that asks them.

The one rule: every gate takes the votes of several people, so that most clicks are valid ones and none is enough.
"""

from __future__ import annotations

from bot.simulator.demo import demo_workspace
from bot.simulator.model import Channel, User, UserGroup
from bot.simulator.workspace import Workspace
from engine.clock import MovableClock
from engine.core.definition import Workflow

QUORUM = 5
APPROVERS = tuple(f"approver{number}" for number in range(1, 9))
BYSTANDERS = tuple(f"bystander{number}" for number in range(1, 5))
CHANNELS = tuple(f"storm-{number}" for number in range(1, 9))
STARTER = "ben"
FIRST, SECOND = "first", "second"
NAME = "storm"

_GATE = {"approvers": ["@approvers"], "quorum": QUORUM, "expires_in": "30d"}
STORM = Workflow.model_validate(
    {
        "name": NAME,
        "description": "Two decisions of several people each.",
        "input": {"n": {"type": "integer"}},
        "steps": [
            {"id": "notes", "uses": "storm.note", "with": {"text": "of ${{ string(input.n) }}"}},
            {"id": FIRST, "approval": {"title": "Build number ${{ string(input.n) }}?", **_GATE}},
            {"id": "build", "uses": "storm.note", "with": {"text": "built"}},
            {"id": SECOND, "approval": {"title": "Ship number ${{ string(input.n) }}?", **_GATE}},
            {"id": "ship", "uses": "storm.note", "with": {"text": "shipped"}},
        ],
    }
)


def storm_workspace(clock: MovableClock) -> Workspace:
    """The demo's company with more people and channels; the approvers are in a group, the bystanders in none."""
    workspace = demo_workspace(clock)
    added: list[str] = []
    for name in (*APPROVERS, *BYSTANDERS):
        user = User(f"U0{name.upper():X<13}", name, name.capitalize(), email=f"{name}@acme.example")
        added.append(workspace.add_user(user).id)
    workspace.add_group(UserGroup("S0APPROVERS", "approvers", "Approvers", added[: len(APPROVERS)]))
    starter = workspace.person(STARTER).id
    for number, name in enumerate(CHANNELS):
        workspace.add_channel(Channel(f"C0STORM{number:03d}", name, [*added, starter, workspace.app.bot_user_id]))
    return workspace
