"""`vb demo`: everything in one process, with a Slack of its own, and real things for the examples to work on.

props       what the examples work on: a git repository, a flaky site, a folder with old files
scenes      the commands that it suggests, and what each of them shows
memory      what was said in the simulated Slack, kept in the folder from one start to the next
stage       all parts together: simulator, engine, bot, worker, on one clock that a person can move
reading     a thread as a person would read it, as text
play        the command: the page for people, or `--once`, a release from command to tag
"""
