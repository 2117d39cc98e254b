"""`eth_getLogs` over the index: the most selective condition drives, the others filter.

SQLite's planner cannot know that one topic names ten thousand rows and another one; counting index entries up to a
bound can, in microseconds. The block range is a candidate too: a follower that asks for the last few blocks reads only
them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from foedus.node.devnet.database import LOGS_PER_BLOCK
from foedus.node.devnet.errors import TooMuch
from foedus.node.devnet.records import LogEntry

MAX_LOGS = 50_000
_PROBE = 1_000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Blocks `first` to `last` inclusive; an empty tuple in `addresses` or at a topic's position accepts anything."""

    first: int
    last: int
    addresses: tuple[bytes, ...] = ()
    topics: tuple[tuple[bytes, ...], ...] = ()


_SELECT = """
SELECT logs.id, position, address, topic0, topic1, topic2, topic3, data, blocks.hash, blocks.timestamp,
    (SELECT hash FROM transactions WHERE transactions.id = number * :per_block + position)
FROM logs JOIN blocks ON blocks.number = logs.id / :per_block WHERE
""".replace(":per_block", str(LOGS_PER_BLOCK))


def logs_of(connection: sqlite3.Connection, block_number: int) -> list[LogEntry]:
    """Every log of a block, in order."""
    span = (block_number * LOGS_PER_BLOCK, (block_number + 1) * LOGS_PER_BLOCK - 1)
    return [_entry(row) for row in connection.execute(f"{_SELECT} logs.id BETWEEN ? AND ? ORDER BY logs.id", span)]


def find_logs(connection: sqlite3.Connection, wanted: LogFilter) -> list[LogEntry]:
    """The matching logs in chain order. Raises TooMuch beyond MAX_LOGS."""
    span = (wanted.first * LOGS_PER_BLOCK, (wanted.last + 1) * LOGS_PER_BLOCK - 1)
    conditions = _conditions(wanted)
    driver = _most_selective(connection, conditions, span)
    clauses = ["logs.id BETWEEN ? AND ?"]
    values: list[int | bytes] = [*span]
    for column, accepted in conditions:
        # A unary plus keeps SQLite from choosing that column's index.
        clauses.append(f"{'' if column == driver else '+'}{column} IN ({', '.join('?' * len(accepted))})")
        values.extend(accepted)
    query = f"{_SELECT} {' AND '.join(clauses)} ORDER BY logs.id LIMIT {MAX_LOGS + 1}"
    found = [_entry(row) for row in connection.execute(query, values)]
    if len(found) > MAX_LOGS:
        raise TooMuch(f"query returned more than {MAX_LOGS} logs: ask for fewer blocks at a time")
    return found


def _conditions(wanted: LogFilter) -> list[tuple[str, tuple[bytes, ...]]]:
    conditions = [("address", wanted.addresses)] if wanted.addresses else []
    conditions += [(f"topic{index}", accepted) for index, accepted in enumerate(wanted.topics) if accepted]
    return conditions


def _most_selective(
    connection: sqlite3.Connection, conditions: Sequence[tuple[str, tuple[bytes, ...]]], span: tuple[int, int]
) -> str | None:
    """The column whose index names the fewest rows, or None if the block range itself does."""
    count = "SELECT count(*) FROM (SELECT 1 FROM logs WHERE id BETWEEN ? AND ?{} LIMIT ?)"
    (fewest,) = connection.execute(count.format(""), (*span, _PROBE)).fetchone()
    driver = None
    for column, accepted in conditions:
        if fewest <= 1:
            break
        clause = f" AND {column} IN ({', '.join('?' * len(accepted))})"
        index = f"logs INDEXED BY logs_by_{column}"
        probe = count.format(clause).replace("FROM logs", f"FROM {index}")
        (rows,) = connection.execute(probe, (*span, *accepted, _PROBE)).fetchone()
        if rows < fewest:
            fewest, driver = rows, column
    return driver


def _entry(row: tuple[int, int, bytes, bytes, bytes, bytes, bytes, bytes, bytes, int, bytes]) -> LogEntry:
    number, index = divmod(row[0], LOGS_PER_BLOCK)
    return LogEntry(
        block_number=number,
        block_hash=row[8],
        block_timestamp=row[9],
        transaction_hash=row[10],
        transaction_index=row[1],
        index=index,
        address=row[2],
        topics=tuple(topic for topic in row[3:7] if topic is not None),
        data=row[7],
    )
