"""A small release desk: the bolt app that the page's tests talk to, and what it was told.

The one rule: every listener acknowledges with what Slack documents, so that the page meets what a real app does.
"""

import asyncio
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.simulator.model import Json
from bot.simulator.simulator import Simulator
from tests.simulator.conftest import on


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(text: str, action_id: str, **more: Any) -> Json:
    return {"type": "button", "text": plain(text), "action_id": action_id, **more}


def options(*names: str) -> list[Json]:
    return [{"text": plain(name), "value": name.lower().replace(" ", "_")} for name in names]


def field(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


CONFIRM = {
    "title": plain("Publish v1.2.3?"),
    "text": {"type": "mrkdwn", "text": "Tag `v1.2.3` is pushed at once."},
    "confirm": plain("Publish"),
    "deny": plain("Not yet"),
}
APPROVAL = [
    section("*Publish v1.2.3?* Asked by Ben Okafor."),
    {
        "type": "actions",
        "block_id": "decision",
        "elements": [
            button("Deny", "deny", style="danger"),
            button("Approve", "approve", style="primary", confirm=CONFIRM),
        ],
    },
]
FORM = {
    "type": "modal",
    "callback_id": "run_form",
    "title": plain("Run publish_release"),
    "submit": plain("Start"),
    "blocks": [
        section("Publishes a release of *acme/site*."),
        field("version", "Version", {"type": "plain_text_input", "action_id": "it"}, hint=plain("As in v1.2.3")),
        field(
            "target",
            "Environment",
            {"type": "static_select", "action_id": "it", "options": options("Staging", "Production")},
        ),
        field("notes", "Notes", {"type": "plain_text_input", "action_id": "it", "multiline": True}, optional=True),
    ],
}
REASON = {
    "type": "modal",
    "callback_id": "reason_form",
    "title": plain("Deny v1.2.3"),
    "submit": plain("Deny"),
    "blocks": [field("reason", "Reason", {"type": "plain_text_input", "action_id": "it", "multiline": True})],
}


class Desk:
    """`/vb run` opens a form, `/vb publish` asks for an approval, `/vb form` opens `form`; everything else is refused.

    `told` holds each action's or submission's payload; while `gate` is cleared, "Approve" is not acknowledged.
    """

    def __init__(self, simulator: Simulator, app: AsyncApp) -> None:
        self.simulator = simulator
        self.client: Any = app.client
        self.told: list[Json] = []
        self.form: Json = FORM
        self.gate = asyncio.Event()
        self.gate.set()
        on(app, "command", "/vb")(self._command)
        on(app, "view", "run_form")(self._run_form)
        on(app, "view", "reason_form")(self._reason_form)
        on(app, "action", "approve")(self._approve)
        on(app, "action", "deny")(self._deny)
        on(app, "action", "plain")(self._plain)
        on(app, "options", "ticket")(self._tickets)
        on(app, "shortcut", "run_workflow")(self._run_anywhere)
        on(app, "shortcut", "run_on_message")(self._run_on_message)
        on(app, "event", "app_home_opened")(self._home)
        on(app, "event", "app_mention")(self._mention)
        on(app, "event", "message")(self._message)

    async def _command(self, ack: Any, body: Json) -> None:
        word = str(body.get("text", "")).partition(" ")[0]
        if word in ("run", "form"):
            await ack()
            await self.client.views_open(trigger_id=body["trigger_id"], view=FORM if word == "run" else self.form)
        elif word == "publish":
            await ack()
            await self.publish(body["channel_id"])
        else:
            await ack(f"`/vb {word}` is not a command. Did you mean `/vb run`?")

    async def _run_anywhere(self, ack: Any, body: Json) -> None:
        await ack()
        await self.client.views_open(trigger_id=body["trigger_id"], view=FORM)

    async def _run_on_message(self, ack: Any, body: Json, respond: Any) -> None:
        self.told.append(body)
        await ack()
        await respond(f"Which workflow should have “{body['message']['text']}”?")

    async def publish(self, channel: str) -> str:
        """Post the approval with two lines in its thread; returns its ts."""
        posted = await self.client.chat_postMessage(channel=channel, text="Publish v1.2.3?", blocks=APPROVAL)
        for text in ("✓ `notes` written", "⏳ Waiting for <!subteam^S0RELEASES>"):
            await self.client.chat_postMessage(channel=channel, thread_ts=posted["ts"], text=text)
        return posted["ts"]

    async def _run_form(self, ack: Any, body: Json, view: Json) -> None:
        self.told.append(body)
        values = view["state"]["values"]
        version = values.get("version", {}).get("it", {}).get("value")
        if version is not None and not version.startswith("v"):
            await ack(response_action="errors", errors={"version": f"{version} is not like v1.2.3."})
        else:
            await ack()

    async def _reason_form(self, ack: Any, body: Json) -> None:
        self.told.append(body)
        await ack()

    async def _approve(self, ack: Any, body: Json) -> None:
        self.told.append(body)
        await self.gate.wait()
        await ack()
        await self.client.chat_update(
            channel=body["channel"]["id"],
            ts=body["message"]["ts"],
            text="Approved",
            blocks=[section("*Publish v1.2.3?*"), section(f"✓ Approved by <@{body['user']['id']}>")],
        )

    async def _deny(self, ack: Any, body: Json) -> None:
        await ack()
        await self.client.views_open(trigger_id=body["trigger_id"], view=REASON)

    async def _plain(self, ack: Any, body: Json) -> None:
        self.told.append(body)
        await ack()

    async def _tickets(self, ack: Any, payload: Json) -> None:
        names = [name for name in ("ACME-1 Cache", "ACME-2 German page") if payload["value"].lower() in name.lower()]
        await ack(options=options(*names))

    async def _home(self, event: Json) -> None:
        blocks = [{"type": "header", "text": plain("Your runs")}, section("Nothing waits for you.")]
        await self.client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    async def _mention(self, event: Json) -> None:
        await self.client.chat_postMessage(
            channel=event["channel"], thread_ts=event["ts"], text="Type `/vb run` to begin."
        )

    async def _message(self) -> None:
        """Hears direct messages; says nothing."""
