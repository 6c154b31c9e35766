"""What an operator can set, read from the environment once, when a process starts.

The one rule: a wrong setting stops the process with one sentence that names it, and a value that may hold a password is
never shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.core.durations import parse_duration
from engine.core.errors import EngineError
from engine.steps.http_policy import HttpPolicy
from engine.steps.models.config import Models
from engine.steps.shell import ShellPolicy

_YES = frozenset({"yes", "true", "on", "1"})
_NO = frozenset({"no", "false", "off", "0"})

_DATABASES = frozenset({"sqlite", "postgresql", "postgres"})
_REDISES = frozenset({"redis", "rediss", "unix"})

_SHORTEST_LEASE, _LONGEST_LEASE = 1_000, 600_000

_WORDS = {
    "int_parsing": "it must be a whole number",
    "bool_parsing": "it must be yes or no",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
}


def workspace_of(installed: str) -> str:
    """The engine's name of the Slack workspace, or organization, with this id."""
    return f"ws_{installed}"


class WrongSetting(EngineError, ValueError):
    """A setting cannot be used."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"The setting {name} cannot be used: {problem}.")


def _named(name: str, **more: Any) -> Any:
    """A field that is read from the environment variable ``name``, and never shown."""
    return Field(validation_alias=AliasChoices(name), repr=False, **more)


class Settings(BaseSettings):
    """Each field's variable is named beside it; ``Settings.read`` is the way to have one."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    folder: Path = Field(default=Path(".vb"), validation_alias=AliasChoices("VB_DIR"))
    given_database_url: str | None = _named("VB_DATABASE_URL", default=None)
    given_redis_url: str | None = _named("VB_REDIS_URL", default=None)
    given_chain_key_file: Path | None = _named("VB_CHAIN_KEY_FILE", default=None)
    master_key_file: Path | None = _named("VB_MASTER_KEY_FILE", default=None)
    master_key_from: str | None = _named("VB_MASTER_KEY_FROM", default=None)
    master_key: SecretStr | None = _named("VB_MASTER_KEY", default=None)
    given_workflows: str | None = _named("VB_WORKFLOWS", default=None)
    given_cli_approvals: bool | None = _named("VB_CLI_APPROVALS", default=None)

    cli_must_link: bool = _named("VB_CLI_MUST_LINK", default=False)

    given_deployers: str = _named("VB_DEPLOYERS", default="")
    given_gate_owners: str = _named("VB_GATE_OWNERS", default="")
    given_admins: str = _named("VB_ADMINS", default="")

    slots: int = _named("VB_SLOTS", default=100, ge=1, le=10_000)
    given_lease: str = _named("VB_LEASE", default="15s")
    largest_result_mib: int = _named("VB_LARGEST_RESULT_MIB", default=16, ge=1, le=256)
    own_steps: str = _named("VB_STEPS", default="")
    allowed_programs: str = _named("VB_ALLOWED_PROGRAMS", default="")
    allowed_variables: str = _named("VB_ALLOWED_VARIABLES", default="")
    allow_private_addresses: str = _named("VB_ALLOW_PRIVATE_ADDRESSES", default="no")
    model_providers: str = _named("VB_MODEL_PROVIDERS", default="")
    model_limits: str = _named("VB_MODEL_LIMITS", default="")
    model_prices: str = _named("VB_MODEL_PRICES", default="")

    bot_token: SecretStr | None = _named("SLACK_BOT_TOKEN", default=None)
    app_token: SecretStr | None = _named("SLACK_APP_TOKEN", default=None)
    signing_secret: SecretStr | None = _named("SLACK_SIGNING_SECRET", default=None)
    client_id: str | None = _named("SLACK_CLIENT_ID", default=None)
    client_secret: SecretStr | None = _named("SLACK_CLIENT_SECRET", default=None)
    public_url: str | None = _named("VB_PUBLIC_URL", default=None)
    given_workspace: str | None = _named("VB_WORKSPACE", default=None)
    slack_api_url: str | None = _named("SLACK_API_URL", default=None)
    http_host: str = _named("VB_HTTP_HOST", default="127.0.0.1")
    http_port: int = _named("VB_HTTP_PORT", default=3000, ge=0, le=65_535)
    default_channel: str | None = _named("VB_DEFAULT_CHANNEL", default=None)

    @classmethod
    def read(cls, folder: Path | None = None, **given: Any) -> Settings:
        """From the environment; ``folder`` and ``given`` (by variable) go before it. Raises ``WrongSetting``."""
        if folder is not None:
            given["VB_DIR"] = folder
        try:
            return cls(**given)
        except ValidationError as error:
            raise _in_words(error) from None

    @classmethod
    def variables(cls) -> frozenset[str]:
        """The names of all variables that are read."""
        aliases = (field.validation_alias for field in cls.model_fields.values())
        return frozenset(str(alias.choices[0]) for alias in aliases if isinstance(alias, AliasChoices))

    @field_validator("given_database_url")
    @classmethod
    def _database_is_known(cls, url: str | None) -> str | None:
        _check_url(url, _DATABASES, "sqlite:///path/to/vb.db or postgresql://user:password@host:5432/name")
        return url

    @field_validator("given_redis_url")
    @classmethod
    def _redis_is_known(cls, url: str | None) -> str | None:
        _check_url(url, _REDISES, "redis://host:6379/0 or unix:///path/redis.sock")
        return url

    @field_validator("allowed_programs")
    @classmethod
    def _programs_exist(cls, text: str) -> str:
        ShellPolicy.of(_entries(text))
        return text

    @field_validator("allowed_variables")
    @classmethod
    def _variables_are_names(cls, text: str) -> str:
        ShellPolicy.of((), _entries(text))
        return text

    @field_validator("allow_private_addresses")
    @classmethod
    def _addresses_are_known(cls, text: str) -> str:
        _addresses(text)
        return text

    @field_validator("model_providers")
    @classmethod
    def _providers_are_addresses(cls, text: str) -> str:
        Models.of(providers=_entries(text))
        return text

    @field_validator("model_limits")
    @classmethod
    def _limits_are_numbers(cls, text: str) -> str:
        Models.of(limits=_entries(text))
        return text

    @field_validator("model_prices")
    @classmethod
    def _prices_are_money(cls, text: str) -> str:
        Models.of(prices=_entries(text))
        return text

    @field_validator("given_lease")
    @classmethod
    def _lease_is_a_duration(cls, text: str) -> str:
        _lease(text)
        return text

    @field_validator("given_deployers", "given_gate_owners")
    @classmethod
    def _people_are_named(cls, text: str) -> str:
        for entry in _entries(text):
            if any(character.isspace() for character in entry) or entry.startswith("@"):
                raise ValueError(f"{entry!r:.60} is nobody; write ana (a user here), slack:U123ABC, role:admin or *")
        return text

    @field_validator("public_url")
    @classmethod
    def _url_is_public(cls, url: str | None) -> str | None:
        _check_url(url, frozenset({"https", "http"}), "https://bot.example.com, without a path")
        if url is not None and urlsplit(url).path not in ("", "/"):
            raise ValueError("write it as https://bot.example.com, without a path")
        return url

    @field_validator("given_workspace")
    @classmethod
    def _workspace_is_slacks(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[TE][A-Z0-9]{2,}", name):
            raise ValueError("write Slack's id of the workspace, such as T0123ABCD (E… for an organization)")
        return name

    @field_validator("given_admins")
    @classmethod
    def _admins_are_named(cls, text: str) -> str:
        for entry in _entries(text):
            if not re.fullmatch(r"[@#][^\s@#]{1,80}", entry):
                raise ValueError(f"{entry!r:.60} is nobody in Slack; write @ana, @release-admins or an id as @U0123ABC")
        return text

    @property
    def is_embedded_database(self) -> bool:
        """Whether the database is the folder's own SQLite file."""
        return self.given_database_url is None

    @property
    def is_embedded_redis(self) -> bool:
        return self.given_redis_url is None

    @property
    def database_file(self) -> Path:
        """The embedded database, whether it is there or not."""
        return self.folder / "vb.db"

    @property
    def database_url(self) -> str:
        return self.given_database_url or f"sqlite:///{self.database_file.absolute()}"

    @property
    def chain_key_file(self) -> Path:
        return self.given_chain_key_file or self.folder / "chain.key"

    @property
    def log_file(self) -> Path:
        return self.folder / "vb.log"

    @property
    def workflow_folders(self) -> tuple[Path, ...]:
        """Those of VB_WORKFLOWS; else ``workflows`` here, if there is one; else the examples of this package."""
        if self.given_workflows is not None:
            return tuple(Path(part) for part in self.given_workflows.split(os.pathsep) if part)
        here = Path("workflows")
        return (here if here.is_dir() else Path(__file__).parents[1] / "examples",)

    @property
    def cli_approvals(self) -> bool:
        """Whether the command line may decide at gates: by default only where whoever can write the database may."""
        return self.is_embedded_database if self.given_cli_approvals is None else self.given_cli_approvals

    @property
    def deployers(self) -> tuple[str, ...]:
        """Who may deploy, as they were written; empty: nobody is named."""
        return tuple(_entries(self.given_deployers))

    @property
    def gate_owners(self) -> tuple[str, ...]:
        """Who may change gates and approvers, as they were written; empty: nobody is named."""
        return tuple(_entries(self.given_gate_owners))

    @property
    def workspace(self) -> str:
        """The engine's name of the workspace that commands are about."""
        from engine.store import DEFAULT_WORKSPACE  # not above: what asks no database starts faster without

        return DEFAULT_WORKSPACE if self.given_workspace is None else workspace_of(self.given_workspace)

    @property
    def admins(self) -> tuple[str, ...]:
        """Who is an admin in Slack whatever was granted there: people, groups or channels, by name or id."""
        return tuple(_entries(self.given_admins))

    @property
    def lease(self) -> int:
        """Milliseconds after which a silent worker's steps go to others."""
        return _lease(self.given_lease)

    @property
    def http_policy(self) -> HttpPolicy:
        return HttpPolicy(_addresses(self.allow_private_addresses))

    @property
    def models(self) -> Models:
        """Which models can be asked, at what prices, and how fast."""
        return Models.of(*(_entries(text) for text in (self.model_providers, self.model_limits, self.model_prices)))

    @property
    def step_modules(self) -> tuple[str, ...]:
        """Modules, and files, with steps of the operator's own."""
        return tuple(_entries(self.own_steps))

    @property
    def shell_policy(self) -> ShellPolicy:
        return ShellPolicy.of(_entries(self.allowed_programs), _entries(self.allowed_variables))


def _entries(text: str) -> list[str]:
    return [entry for part in text.split(",") if (entry := part.strip())]


def _lease(text: str) -> int:
    lease = parse_duration(text)
    if not _SHORTEST_LEASE <= lease <= _LONGEST_LEASE:
        raise ValueError("it must be from 1s to 10m")
    return lease


def _addresses(text: str) -> bool | Iterable[str]:
    word = text.strip().lower()
    if word in _YES | _NO | {""}:
        return word in _YES
    entries = _entries(text)
    HttpPolicy(entries)
    return entries


def _check_url(url: str | None, schemes: Container[str], forms: str) -> None:
    """Raises ``ValueError``, which does not quote the URL: it may hold a password."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        # The driver may be named as well; a port is read, and found wrong, only when it is asked for.
        known = parts.scheme.split("+")[0] in schemes and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"write it as {forms}")


def _in_words(error: ValidationError) -> WrongSetting:
    """The first problem, in our words; pydantic's own would show the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "?"
    kind = first["type"]
    if kind in _WORDS:
        return WrongSetting(name, _WORDS[kind].format_map(first.get("ctx", {})))
    if kind == "value_error":
        return WrongSetting(name, str(first["msg"]).removeprefix("Value error, "))
    return WrongSetting(name, "it has the wrong form")
