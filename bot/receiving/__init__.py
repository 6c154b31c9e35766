"""How Slack reaches the bot: each delivery once, over connections that leave no gap, or by signed HTTP."""
