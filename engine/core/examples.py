"""An example of every word of the definition language, as YAML, for editors and the reference.

The one rule: there is one for each word, and each is right; a test goes through all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from engine.core.approval import Approval, EditField, Hours, Rung, Stage
from engine.core.definition import Step, Workflow
from engine.core.kinds import (
    Call,
    Concurrency,
    ForEach,
    InputField,
    Repeat,
    Retry,
    RetryRule,
    Schedule,
    Sleep,
    Undo,
    WaitFor,
)

EXAMPLES: Mapping[type[BaseModel], Mapping[str, str]] = {
    Workflow: {
        "name": "publish_release",
        "description": "Tag a release and publish it, after a person has agreed.",
        "input": "{version: {type: string}}",
        "steps": "[{id: tag, uses: git.tag, with: {repo: ., name: v1}}]",
        "on_failure": '[{id: tell, uses: slack.post, with: {text: "${{ failure.reason }}"}}]',
        "output": '{tag: "${{ steps.tag.output.tag }}"}',
        "timeout": "2d",
        "labels": '{service: "${{ input.service }}"}',
        "concurrency": '{key: "deploy-${{ input.service }}"}',
        "priority": "high",
        "schedule": '[{cron: "30 9 * * 1-5"}]',
        "who_can_run": '["@release-managers"]',
        "language": "1",
    },
    InputField: {
        "type": "choice",
        "description": "Where it goes",
        "default": "staging",
        "required": "false",
        "pattern": r"'^v\d+$'",
        "choices": "[staging, production]",
        "min": "1",
        "max": "100",
    },
    Step: {
        "id": "tag",
        "uses": "git.tag@1",
        "with": '{repo: ., name: "${{ input.version }}"}',
        "approval": '{title: "Publish ${{ input.version }}?", approvers: ["@release-managers"]}',
        "set": '{total: "${{ input.count * 2 }}"}',
        "sleep": "3d",
        "wait_for": "{signal: payment_received, timeout: 1h}",
        "workflow": '{name: publish_release, input: {version: "${{ input.version }}"}}',
        "steps": '[{id: check, uses: http.request, with: {url: "${{ item }}"}}]',
        "for_each": '{items: "${{ steps.list.output.hosts }}", max_items: 20}',
        "repeat": "{until: steps.check.output.status == 200, max: 10, every: 30s}",
        "needs": "[build, test]",
        "if": 'input.environment == "production"',
        "retry": "{attempts: 5, initial: 1s, max: 30s}",
        "timeout": "5m",
        "continue_on_error": "true",
        "repeatable": "false",
        "undo": '{uses: http.request, with: {url: "https://example.com", method: DELETE}}',
    },
    Approval: {
        "title": "Publish ${{ input.version }}?",
        "show": '{notes: "${{ steps.notes.output.text }}"}',
        "approvers": '["@release-managers", "#leads"]',
        "quorum": "2",
        "stages": '[{name: team, approvers: ["@web"]}, {name: security, approvers: ["@security"], quorum: 2}]',
        "reason": "always",
        "edit": '{percent: {type: integer, min: 1, max: 100, value: "${{ input.percent }}"}}',
        "covers": "[deploy]",
        "request_changes": "draft",
        "delegation": "forbidden",
        "expires_in": "8h",
        "on_expiry": "approve",
        "remind_every": "1h",
        "escalate": '[{after: 15m, to: "@oncall"}]',
        "allow_self": "true",
        "hours": '{zone: Europe/Paris, from: "08:30", to: "18:00"}',
        "direct_messages": "true",
    },
    Stage: {"name": "security", "approvers": '["@security"]', "quorum": "2"},
    EditField: {
        "type": "integer",
        "description": "Percent of the users",
        "pattern": r"'^v\d+$'",
        "choices": "[staging, production]",
        "min": "1",
        "max": "100",
        "value": "${{ input.percent }}",
    },
    Hours: {
        "zone": "Europe/Paris",
        "from": '"08:30"',
        "to": '"18:00"',
        "days": "[mon, tue, wed, thu]",
        "holidays": "[2030-12-25, 2030-12-26]",
    },
    Rung: {"after": "15m", "to": '"@oncall"'},
    Sleep: {"for": "1h30m", "until": '"2030-01-31T09:00:00+01:00"'},
    WaitFor: {
        "signal": "payment_received",
        "correlation": "${{ input.order }}",
        "payload": "{amount: {type: number, min: 0}}",
        "timeout": "2d",
        "on_timeout": "continue",
    },
    Call: {
        "name": "publish_release",
        "input": '{version: "${{ input.version }}"}',
        "definition": "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed",
    },
    ForEach: {
        "items": "${{ steps.list.output.hosts }}",
        "max_items": "50",
        "max_parallel": "5",
        "on_item_failure": "continue",
    },
    Repeat: {
        "until": "steps.check.output.status == 200",
        "max": "20",
        "every": "30s",
        "on_max": "continue",
    },
    Retry: {
        "attempts": "5",
        "initial": "2s",
        "max": "1m",
        "factor": "3",
        "within": "10m",
        "classes": "{rate_limited: {attempts: 20}, permission: {attempts: 2}}",
    },
    RetryRule: {"attempts": "20", "initial": "10s", "max": "5m", "factor": "1.5", "within": "1h"},
    Undo: {
        "uses": "http.request",
        "with": '{url: "https://example.com/${{ steps.book.output.json.id }}", method: DELETE}',
        "retry": "{attempts: 10}",
        "timeout": "1m",
    },
    Concurrency: {"key": "deploy-${{ input.service }}", "limit": "3", "on_limit": "cancel_running"},
    Schedule: {
        "cron": '"30 9 * * 1-5"',
        "timezone": "Europe/Paris",
        "overlap": "queue",
        "catch_up": "3",
        "input": "{environment: staging}",
    },
}
"""By model and by word as it is written."""
