"""The words of ``/vb``: what is typed, what each does, who may, and examples.

The one rule: each word is described here once. Help, the hint in Slack's own list of commands, the README's table and
the check that every word is answered are all made from this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.roles import Role


@dataclass(frozen=True, slots=True)
class Usage:
    """``typed`` after the command, with names in capitals for what varies; ``does`` completes a table."""

    typed: str
    does: str


@dataclass(frozen=True, slots=True)
class Word:
    """``role``: what it takes, besides what is said in ``more`` (mrkdwn); None where anybody may."""

    name: str
    usages: tuple[Usage, ...]
    examples: tuple[str, ...]
    role: Role | None = None
    more: str = ""

    @property
    def needs_run_alone(self) -> bool:
        """Whether a run, and perhaps why, is all that it takes."""
        return re.sub(r" \[.*?\]", "", self.usages[0].typed) == f"{self.name} RUN"


_ALSO_STARTER = "Whoever started the run may do it too."
_BY_GATE = "Whoever the gate asks may. GATE may be left out where only one waits."
_RUN = "RUN is a run's id, or as much of its beginning as is unique."


HINTED = ("run", "list", "runs", "status", "approve", "help")


def _word(name: str, *usages: tuple[str, str], examples: tuple[str, ...], role: Role | None, more: str = "") -> Word:
    return Word(name, tuple(Usage(*usage) for usage in usages), examples, role, more)


WORDS: Mapping[str, Word] = {
    word.name: word
    for word in (
        _word(
            "run",
            ("run NAME key=value …", "starts a run; opens a form if inputs are missing or wrong"),
            ("run", "lets you pick a workflow"),
            examples=("run publish_release version=v1.2.3", 'run cleanup folder="two words"'),
            role=Role.RUNNER,
            more="A workflow may name those who can start it (`who_can_run`); then only they can. In a thread, where "
            "Slack takes no commands, mention the bot instead: its run then lives in that thread.",
        ),
        _word(
            "list",
            ("list", "the workflows, and how to start each"),
            examples=("list",),
            role=Role.VIEWER,
        ),
        _word(
            "runs",
            ("runs [NAME]", "the newest runs, or those of one workflow"),
            ("runs mine", "those that you have started, here or at a terminal"),
            examples=("runs", "runs publish_release", "runs mine"),
            role=Role.VIEWER,
        ),
        _word(
            "status",
            ("status RUN", "what a run is doing, and what happens next"),
            examples=("status 01ks8q",),
            role=Role.VIEWER,
            more=_RUN,
        ),
        _word(
            "pause",
            ("pause RUN [why …]", "starts nothing more in a run until it is resumed"),
            examples=("pause 01ks8q the registry is down",),
            role=Role.OPERATOR,
            more=f"What runs is finished, and deadlines stand. {_ALSO_STARTER}",
        ),
        _word(
            "resume",
            ("resume RUN [why …]", "lets a paused run go on"),
            examples=("resume 01ks8q the registry is back",),
            role=Role.OPERATOR,
            more="Whoever started the run and paused it may do it too.",
        ),
        _word(
            "cancel",
            ("cancel RUN [why …]", "stops a run, and undoes what can be undone"),
            examples=("cancel 01ks8q wrong version",),
            role=Role.OPERATOR,
            more=f"Nothing more starts, and what runs is told to stop. {_ALSO_STARTER}",
        ),
        _word(
            "retry",
            ("retry RUN STEP [why …]", "does a step, and all that follows from it, anew"),
            examples=("retry 01ks8q build the image was missing",),
            role=Role.OPERATOR,
            more="Effects of those steps are made again.",
        ),
        _word(
            "fork",
            ("fork RUN STEP", "starts a new run that takes over what was done before a step"),
            examples=("fork 01ks8q tag",),
            role=Role.OPERATOR,
            more="Decisions at gates before that step are taken over too. The run itself is left as it is.",
        ),
        _word(
            "redrive",
            ("redrive RUN [STEP …] [why …]", "tries again what failed for good, with all its attempts"),
            examples=("redrive 01ks8q the registry is back", "redrive 01ks8q push"),
            role=Role.OPERATOR,
            more=f"Effects on record are not repeated. {_ALSO_STARTER}",
        ),
        _word(
            "approve",
            ("approve RUN [GATE] [why …]", "shows what a gate asks, to approve it as it is now"),
            examples=("approve 01ks8q", "approve 01ks8q publish the notes are right"),
            role=None,
            more=_BY_GATE,
        ),
        _word(
            "deny",
            ("deny RUN [GATE] [why …]", "denies at a gate"),
            examples=("deny 01ks8q the notes are wrong", "deny 01ks8q publish not on a Friday"),
            role=None,
            more=f"Most gates want to know why. {_BY_GATE}",
        ),
        _word(
            "edit",
            ("edit RUN [GATE]", "changes what a gate lets you change, before you approve it"),
            examples=("edit 01ks8q", "edit 01ks8q publish"),
            role=None,
            more=f"Approvals from before a change do not count any more. {_BY_GATE}",
        ),
        _word(
            "request-changes",
            ("request-changes RUN [GATE] what …", "sends a run back from a gate, to be done anew and asked again"),
            examples=("request-changes 01ks8q name the migration", "request-changes 01ks8q publish fewer at first"),
            role=None,
            more=_BY_GATE,
        ),
        _word(
            "snooze",
            ("snooze RUN [GATE] for TIME", "keeps a gate's reminders from you for a while"),
            examples=("snooze 01ks8q for 2h", "snooze 01ks8q publish for 1d"),
            role=None,
            more=f"It stays open, and others are asked as planned. {_BY_GATE}",
        ),
        _word(
            "delegate",
            ("delegate", "who decides in whose place"),
            ("delegate RUN [GATE] to WHO [why …]", "lets somebody else decide at a gate in your place"),
            ("delegate to WHO for TIME [why …]", "lets somebody decide in your place everywhere, for a while"),
            ("delegate stop", "ends that"),
            examples=("delegate 01ks8q to @ben", "delegate to @ben for 3d holidays", "delegate stop"),
            role=None,
            more="Only what you may decide yourself is handed over, and a gate may forbid it.",
        ),
        _word(
            "schedule",
            ("schedule", "what starts by the clock, and when next"),
            ("schedule pause NAME [N] [why …]", "lets a workflow's schedules start nothing until they are resumed"),
            ("schedule resume NAME [N] [why …]", "lets them go on"),
            examples=("schedule", "schedule pause nightly_report holidays", "schedule resume nightly_report 0"),
            role=Role.OPERATOR,
            more="N is the number of one schedule of the workflow, from 0. Whoever may see runs may see schedules.",
        ),
        _word(
            "kill",
            ("kill", "what is stopped now, by whom and why"),
            ("kill WHAT [why …]", "stops at once what is under way; asks first, and says how much"),
            examples=("kill workflow:cleanup wrong folder", "kill run:01ks8q", "kill workspace"),
            role=Role.OPERATOR,
            more="WHAT is workspace, workflow:NAME, run:RUN, step:NAME (the code that it uses), provider:NAME, "
            "model:PROVIDER:MODEL, key:PROVIDER/NAME or, for an admin, everything. Nothing starts under it any more; "
            "what runs is ended within a second and held, and costs its step no attempt.",
        ),
        _word(
            "lift",
            ("lift WHAT [why …]", "lets what was killed go on"),
            examples=("lift workflow:cleanup", "lift workspace all is well"),
            role=Role.OPERATOR,
            more="WHAT is as it was killed.",
        ),
        _word(
            "audit",
            ("audit RUN [GATE]", "who was asked at a gate, what they saw, and who did what, when and why"),
            examples=("audit 01ks8q", "audit 01ks8q publish"),
            role=Role.VIEWER,
            more="With the proof that nobody has changed the record since.",
        ),
        _word(
            "budget",
            ("budget", "what may be spent, what is, and how fast"),
            ("budget chart [DAYS]", "shows everybody here a picture of what was spent, by day, workflow and model"),
            ("budget set WHOSE AMOUNT [per PERIOD] [channel=#NAME] [why …]", "sets or raises a budget"),
            examples=(
                "budget chart 7",
                "budget set workspace 10.00 USD per day channel=#ops",
                "budget set workflow:publish_release 50 USD per month",
                "budget set run:01ks8q 4 USD the release is worth it",
            ),
            role=Role.OPERATOR,
            more="WHOSE is workspace, workflow:NAME, a person or run:ID; a run has one budget and no period. AMOUNT is "
            "in US dollars, or none; PERIOD is day or month. Its alerts are told in the threads of runs, and in the "
            "channel that it names. What a budget holds goes on as soon as there is room for it. Whoever may see runs "
            "may see budgets.",
        ),
        _word(
            "roles",
            ("roles", "who may do what, and what you may do"),
            ("roles grant ROLE WHO [for NAME] [why …]", "gives a role, for one workflow or all"),
            ("roles revoke ROLE WHO [for NAME] [why …]", "takes it away"),
            examples=(
                "roles grant operator @oncall",
                "roles revoke runner everyone",
                "roles grant approver @ana for cleanup",
            ),
            role=Role.ADMIN,
            more="ROLE is viewer, runner, approver, operator or admin. WHO is a person, a group, a channel (whoever is "
            "in it) or everyone. Everybody may see the roles.",
        ),
        _word(
            "keys",
            ("keys", "which keys of model providers are kept, by whom, and when they were last used"),
            ("keys add PROVIDER [NAME]", "opens a form for a new key"),
            ("keys rotate PROVIDER [NAME]", "opens a form for another key in its place"),
            ("keys check PROVIDER [NAME]", "asks the provider, once, whether it takes a key"),
            ("keys revoke PROVIDER [NAME]", "destroys a key, for every worker at once; asks first"),
            examples=(
                "keys",
                "keys add openai",
                "keys add openai batch",
                "keys check openai",
                "keys revoke openai batch",
            ),
            role=Role.ADMIN,
            more="The key itself goes into the form, never after the command. Where somebody has no NAME for it, it is "
            "called default.",
        ),
        _word(
            "secrets",
            ("secrets", "which secrets of steps are kept, by whom, and when they were last used"),
            ("secrets add NAME", "opens a form for a new secret"),
            ("secrets rotate NAME", "opens a form for another value in its place"),
            ("secrets revoke NAME", "destroys a secret, for every worker at once; asks first"),
            examples=("secrets", "secrets add DEPLOY_TOKEN", "secrets revoke DEPLOY_TOKEN"),
            role=Role.ADMIN,
            more="The secret itself goes into the form, never after the command. A step gets it by "
            "`${{ secrets.NAME }}` in its `with`.",
        ),
        _word(
            "link",
            ("link", "a code by which your account on a machine is known to be yours"),
            examples=("link",),
            role=None,
            more="Type the code there, with `vb link`, within ten minutes: it is good once. What you do at that "
            "terminal is yours then as if you had done it here: your runs are one list, and whoever started a run does "
            "not approve it there either.",
        ),
        _word(
            "unlink",
            ("unlink", "ends that for all your accounts"),
            ("unlink WHO", "ends it for somebody else's; takes an admin"),
            examples=("unlink", "unlink @ben"),
            role=None,
        ),
        _word(
            "help",
            ("help [WORD]", "these, or one of them with examples"),
            examples=("help", "help redrive", "redrive help"),
            role=None,
        ),
    )
}


def usage_hint() -> str:
    """What Slack shows beside the command while it is typed: what people need every day."""
    first = (WORDS[name].usages[0].typed for name in HINTED if name in WORDS)
    return " · ".join(re.sub(r" ?\[.*?\]| …", "", typed) for typed in first)


def table(command: str) -> str:
    """All usages as the rows of a Markdown table."""
    rows = [f"| `{command} {usage.typed}` | {usage.does} |" for word in WORDS.values() for usage in word.usages]
    return "\n".join(["| | |", "|---|---|", *rows])
