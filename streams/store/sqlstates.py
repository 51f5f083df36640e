"""What each error code of PostgreSQL means for a worker, and what a person should do.

Codes and classes are those of PostgreSQL's appendix A, "PostgreSQL Error Codes". A code without a
rule has that of its class, the first two characters. A code of an unknown class is our bug: a retry
without end would block the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """Whether waiting helps. A worker stays up, is not ready and retries, except for a bug."""

    TRANSIENT = "passes by itself: restart, failover, conflict of transactions"
    OPERATOR = "passes when somebody acts: password, privilege, limit, configuration"
    BUG = "our code or its data: isolate the record, then stop"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an error code means; ``advice`` says what to do, in one sentence without a full stop."""

    kind: Kind
    advice: str = ""


_BUG: Final = Rule(Kind.BUG)
_WAIT: Final = Rule(Kind.TRANSIENT, "wait: the database or another transaction is busy")
_CHECK_SERVER: Final = Rule(Kind.TRANSIENT, "check that PostgreSQL runs and can be reached")
POOLER: Final = Rule(
    Kind.OPERATOR,
    "a connection pooler refuses or mixes up sessions: connect to PostgreSQL itself, as a worker "
    "keeps its own few connections",
)
_LOGIN: Final = Rule(
    Kind.OPERATOR,
    "correct the role's password or pg_hba.conf; the password files are read at each connect",
)
_GRANT: Final = Rule(
    Kind.OPERATOR, "run deploy/postgres/roles.sql as the owner of the tables, then check the role"
)
_DISK: Final = Rule(Kind.OPERATOR, "free disk space on the database server")
_LIMIT: Final = Rule(
    Kind.OPERATOR,
    "close connections, or raise max_connections or the role's connection limit; a worker opens "
    "ICAM_DATABASE__POOL_SIZE at most",
)
_SETTINGS: Final = Rule(Kind.OPERATOR, "correct the configuration of the database server")
_NAME: Final = Rule(Kind.OPERATOR, "correct the name of the database in ICAM_DATABASE__URL")
_READ_ONLY: Final = Rule(
    Kind.TRANSIENT,
    "the server is read-only: wait for the failover, or name all hosts in ICAM_DATABASE__URL with "
    "target_session_attrs=read-write; or the role is: take that of deploy/postgres/roles.sql",
)
_DAMAGED: Final = Rule(
    Kind.OPERATOR, "the database is damaged: call its administrator, do not restart the workers"
)

RULES: Final[Mapping[str, Rule]] = {
    "01": _BUG,  # warning
    "02": _BUG,  # no data
    "03": _BUG,  # SQL statement not yet complete
    "08": _CHECK_SERVER,  # connection exception
    "08P01": POOLER,  # protocol violation
    "09": _BUG,  # triggered action exception
    "0A": _BUG,  # feature not supported
    "0B": _BUG,  # invalid transaction initiation
    "0F": _BUG,  # locator exception
    "0L": _BUG,  # invalid grantor
    "0P": _BUG,  # invalid role specification
    "0Z": _BUG,  # diagnostics exception
    "10": _BUG,  # XQuery error
    "20": _BUG,  # case not found
    "21": _BUG,  # cardinality violation
    "22": _BUG,  # data exception
    "23": _BUG,  # integrity constraint violation
    "24": _BUG,  # invalid cursor state
    "25": _BUG,  # invalid transaction state
    "25006": _READ_ONLY,  # read-only transaction
    "25P03": _WAIT,  # idle in transaction for too long
    "25P04": _WAIT,  # transaction took too long
    "26": POOLER,  # a prepared statement that does not exist
    "27": _BUG,  # triggered data change violation
    "28": _LOGIN,  # invalid authorization specification
    "2B": _BUG,  # dependent privilege descriptors still exist
    "2D": _BUG,  # invalid transaction termination
    "2F": _BUG,  # SQL routine exception
    "2F002": _READ_ONLY,  # a function may not modify data
    "34": _BUG,  # invalid cursor name
    "38": _BUG,  # external routine exception
    "39": _BUG,  # external routine invocation exception
    "3B": _BUG,  # savepoint exception
    "3D": _NAME,  # invalid catalog name
    "3F": _GRANT,  # invalid schema name
    "40": _WAIT,  # transaction rollback
    "42": _BUG,  # syntax error or access rule violation
    "42501": _GRANT,  # insufficient privilege
    "42P05": POOLER,  # a prepared statement that exists already
    "44": _BUG,  # WITH CHECK OPTION violation
    "53": _WAIT,  # insufficient resources
    "53100": _DISK,  # disk full
    "53300": _LIMIT,  # too many connections
    "53400": _SETTINGS,  # configuration limit exceeded
    "54": _BUG,  # program limit exceeded
    "55": _BUG,  # object not in prerequisite state
    "55000": _SETTINGS,  # such as a database that takes no connections
    "55006": _WAIT,  # object in use
    "55P02": _SETTINGS,  # a parameter that can't be changed now
    "55P03": _WAIT,  # lock not available
    "57": _CHECK_SERVER,  # operator intervention
    "57014": _WAIT,  # statement cancelled or too slow
    "57P03": Rule(Kind.TRANSIENT, "wait: the server starts, stops or recovers"),
    "57P04": _NAME,  # database dropped
    "58": Rule(Kind.TRANSIENT, "check the disks of the database server"),  # system error
    "72": _WAIT,  # snapshot too old
    "F0": _SETTINGS,  # configuration file error
    "HV": _BUG,  # foreign data wrapper error
    "P0": _BUG,  # PL/pgSQL error
    "XX": _BUG,  # internal error
    "XX001": _DAMAGED,  # data corrupted
    "XX002": _DAMAGED,  # index corrupted
}


def rule_of(code: str) -> Rule:
    """Return the rule of an error code of five characters."""
    return RULES.get(code) or RULES.get(code[:2], _BUG)
