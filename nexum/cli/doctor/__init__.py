"""`nexum doctor`: what is wrong with an installation, and how to mend it.

A check asks one question and gives findings: `ok`, `warn` or `FAIL`, with the code of the catalogue and a command that mends
it. Checks never raise for what they look for, never change anything, and go on when one of them cannot be asked.

`installation` asks about settings, database and broker; `fleet` about versions, workers, scheduler and runs; `rebuild` folds
every run again and compares what follows from its events with what is stored.
"""
