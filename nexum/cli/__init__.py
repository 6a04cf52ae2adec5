"""The command line: `nexum`, `python -m nexum` and `manage.py nexum` are one group of commands with one table of exit codes.

The theory. Standard output is the answer, standard error is everything else; with `--json` the answer is one document
that names its schema and its exit code. A command is a function that asks the rooms below for values and gives an exit
code; it never decides what a run means and never draws by itself: `answer` puts values on paper, `complaints` errors.

Exit codes 0, 1 and 2 are verdicts on compatibility (SAFE, BREAKING, CRITICAL) and nothing else. Python exits 1 on any
uncaught exception and click 2 on any mistyped option, so nothing is left to either: `exits` is the only door out.

`--help` imports neither Django nor SQLAlchemy nor Celery nor the SDK: `main` knows names and first lines, and a command's
module is imported when it is called. Inside a Django project a command sees what the project sees (`project`).
"""
