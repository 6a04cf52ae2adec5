"""One module for each command; each is imported when it is called and offers `command`.

A command reads its options, asks the rooms below, and answers twice from one value: `--json` prints it, text draws it.
"""
