"""The store in memory: the same contract over plain tables, for machines that play thousands of histories a minute.

It keeps nothing and serves no user: the simulator stands on it, and tests of what every store must do. What the databases
promise, it promises the same way. A verb is one transaction: all of it or nothing, and nobody sees half. Guards are those of
the schema. A drain is a transaction that lives across round trips: between two of them its writes are parked, so that
others see what is committed, and every row that it wrote or locked stays held. Who meets a held row would wait in a database;
here nobody can wait, so the verb raises NX-S104 and has changed nothing: calling it again later is waiting.

Nothing depends on time or chance: the clock is passed in, every list has a total order, and no result follows the order of
a dict. Rows are frozen, so a copy of a table is cheap and two of them compare by identity first.

What is decided about rows is decided by the same code as for the databases (`judge`, `held_answer`, `nexum.store.rows`);
what is written here anew is what there is SQL. Read `tables.py`, then `transaction.py`.
"""

from __future__ import annotations

from nexum.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
