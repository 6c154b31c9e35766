"""What the commands of `vb` do and say; `bot.cli` has their names and options.

The one rule: results go to standard output, everything else (progress of `--json`, hints, errors) to standard error.
"""
