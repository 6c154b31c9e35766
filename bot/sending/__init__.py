"""How the bot reaches Slack: one sender per workspace, within Slack's limits, and nothing posted twice."""
