"""The commands about roles: who may do what in Slack."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, Reason, settings_of

Role = Annotated[str, typer.Argument(metavar="ROLE", help="viewer, runner, approver, operator or admin.")]
Who = Annotated[str, typer.Argument(metavar="WHO", help="@ana, @oncall, #ops, everyone, or an id such as @U0123ABC.")]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="NAME", help="Only for this workflow.  [default: all]", show_default=False),
]

roles = typer.Typer(help="Who may do what in Slack.", no_args_is_help=True)


@roles.command("list")
def list_roles(as_json: AsJson = False, folder: Dir = None) -> None:
    """List who has which role, by whom and why."""
    from bot.console.launch import launch
    from bot.console.roles import list_roles

    settings = settings_of(folder)
    launch(lambda: list_roles(settings, as_json=as_json), settings)


@roles.command("grant")
def grant(role: Role, who: Who, workflow: For = None, reason: Reason = "", folder: Dir = None) -> None:
    """Give somebody a role, for one workflow or all.

    For example: vb roles grant operator @oncall --for publish_release --reason "nights"
    """
    from bot.console.launch import launch
    from bot.console.roles import grant

    settings = settings_of(folder)
    launch(lambda: grant(settings, role, who, workflow, reason=reason), settings)


@roles.command("revoke")
def revoke(role: Role, who: Who, workflow: For = None, reason: Reason = "", folder: Dir = None) -> None:
    """Take a role away.

    For example: vb roles revoke runner everyone
    """
    from bot.console.launch import launch
    from bot.console.roles import revoke

    settings = settings_of(folder)
    launch(lambda: revoke(settings, role, who, workflow, reason=reason), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    app.add_typer(roles, name="roles", rich_help_panel="People")
