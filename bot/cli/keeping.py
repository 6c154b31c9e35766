"""The commands about keys: those of providers and secrets, kept for steps, and the master keys that seal everything."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, Reason, Yes, settings_of

Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="Such as openai or anthropic.")]
Name = Annotated[
    str,
    typer.Option("--name", metavar="NAME", help="Which of its keys.  [default: default]", show_default=False),
]
Secret = Annotated[str, typer.Argument(metavar="NAME", help="As ${{ secrets.NAME }} says it, such as DEPLOY_TOKEN.")]

keys = typer.Typer(help="Keys of model providers, kept sealed for steps; and master keys.", no_args_is_help=True)
secrets = typer.Typer(help="Secrets, kept sealed for steps.", no_args_is_help=True)


@keys.command("add")
def add_key(provider: Provider, name: Name = "", folder: Dir = None) -> None:
    """Keep a key for the steps that ask a model. It is typed unseen, or comes by a pipe, and is never an argument.

    For example: vb keys add openai < key.txt
    """
    from bot.console.keys import add_key
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: add_key(settings, provider, name), settings)


@keys.command("list")
def list_keys(as_json: AsJson = False, folder: Dir = None) -> None:
    """List the keys: provider, name, last four characters, from whom, since when, and when last used."""
    from bot.console.keys import list_keys
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: list_keys(settings, secrets=False, as_json=as_json), settings)


@keys.command("rotate")
def rotate_key(provider: Provider, name: Name = "", folder: Dir = None) -> None:
    """Replace a key. Every worker uses the new one from its next call on; nobody can open the old one."""
    from bot.console.keys import rotate_key
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: rotate_key(settings, provider, name), settings)


@keys.command("revoke")
def revoke_key(
    provider: Provider, name: Name = "", reason: Reason = "", yes: Yes = False, folder: Dir = None
) -> None:  # fmt: skip
    """Destroy a key: from then on no worker can open it."""
    from bot.console.keys import revoke_key
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: revoke_key(settings, provider, name, reason=reason, yes=yes), settings)


@keys.command("check")
def check_keys(
    provider: Annotated[
        str | None,
        typer.Argument(metavar="[PROVIDER]", help="Ask this provider whether it takes the key.", show_default=False),
    ] = None,
    name: Name = "",
    as_json: AsJson = False,
    folder: Dir = None,
) -> None:
    """Prove that nothing can be opened but what is on record, above all no key that was replaced or revoked.

    With a PROVIDER: ask it, once, whether it takes the key.
    """
    from bot.console.keys import ask_provider, check_keys
    from bot.console.launch import launch

    settings = settings_of(folder)
    if provider is not None:
        launch(lambda: ask_provider(settings, provider, name), settings)
    launch(lambda: check_keys(settings, as_json=as_json), settings)


@keys.command("new")
def new_key(folder: Dir = None) -> None:
    """Print a new master key, for the file that VB_MASTER_KEY_FILE names."""
    from bot.console.launch import launch
    from bot.console.retention import print_new_key

    launch(print_new_key, settings_of(folder))


@keys.command("rewrap")
def rewrap(folder: Dir = None) -> None:
    """Wrap every data key by the current master key, after which older ones are no longer needed."""
    from bot.console.launch import launch
    from bot.console.retention import rewrap

    settings = settings_of(folder)
    launch(lambda: rewrap(settings), settings)


@secrets.command("set")
def set_secret(name: Secret, folder: Dir = None) -> None:
    """Keep a secret, in the place of what was there. It is typed unseen, or comes by a pipe, never as an argument.

    For example: vb secrets set DEPLOY_TOKEN < token.txt
    """
    from bot.console.keys import set_secret
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: set_secret(settings, name), settings)


@secrets.command("list")
def list_secrets(as_json: AsJson = False, folder: Dir = None) -> None:
    """List the secrets: name, last four characters, from whom, since when, and when last used."""
    from bot.console.keys import list_keys
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: list_keys(settings, secrets=True, as_json=as_json), settings)


@secrets.command("remove")
def remove_secret(name: Secret, reason: Reason = "", yes: Yes = False, folder: Dir = None) -> None:
    """Destroy a secret: from then on no step can have it."""
    from bot.console.keys import remove_secret
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: remove_secret(settings, name, reason=reason, yes=yes), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    app.add_typer(keys, name="keys", rich_help_panel="Keys")
    app.add_typer(secrets, name="secrets", rich_help_panel="Keys")
