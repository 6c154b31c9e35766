"""What Slack shows of runs: which messages a run calls for, where they go, and who tells it; and the App Homes."""
