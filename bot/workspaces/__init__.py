"""The Slack workspaces that are served: where the app is installed, and what is made for each of them."""
