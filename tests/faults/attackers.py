"""A producer that wants to decide about other people's cases, or to stop their follow-up.

It has topics of its own, as the brokers' access lists force it to, and two sources in the table: of
each circumstance that they may report, another source ranks above them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from click.testing import CliRunner, Result

from schemas.codec import Decoded, Outgoing, decode, encode
from schemas.codes import Guard
from schemas.events import CircumstanceOutcome, Event
from schemas.rejected import Reason
from streams import reference
from streams.cli import main
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced
from streams.domain.letters import decide_by
from streams.reference import Reference
from tests.domain import given
from tests.faults.arena import Arena
from tests.faults.results import Outcome
from tests.pipeline.foreign import configure, send_bomb
from tests.pipeline.stage import until
from tests.producers import FILE

CIRCUMSTANCES: Final = "icam.circumstance-changed.v1"
OWN, SMALL = f"{CIRCUMSTANCES}.communes", f"{CIRCUMSTANCES}.schools"
MISSES: Final = "icam.appointment-missed.v1"
_TABLE: Final = f"""
[[producer]]
source = "/communes"
principal = "communes"
topics = ["{OWN}"]
types = ["{CIRCUMSTANCES}"]
circumstances = ["appeal_suspensive_pending", "school_term_suspension"]
corrects = ["/schools"]
reason = "the attacker's"

[[producer]]
source = "/schools"
principal = "schools"
topics = ["{SMALL}"]
types = ["{CIRCUMSTANCES}"]
circumstances = ["school_term_suspension"]
reason = "the attacker's too"
"""
APPEAL: Final = Guard.APPEAL_SUSPENSIVE_PENDING
_GREATEST: Final = UUID(int=2**128 - 1)
_SUBJECTS: Final = 20_000
_FLOOD: Final = 1_000
_BOMB: Final = 50_000_000
_ESCAPES: Final = "\x1b]0;owned\x07\x1b[2J[/nope] [bold]"


class Attack(NamedTuple):
    """One record, the reason for which it must be rejected, and the case that it may hold back."""

    name: str
    record: Outgoing
    reason: Reason
    holds: str | None = None


class Attackers:
    """The attacks of one run, and the cases that they aim at."""

    def __init__(self, arena: Arena, now: datetime) -> None:
        text = FILE.read_text().replace(
            'reason = "Tests', 'corrects = ["/communes", "/schools"]\nreason = "Tests'
        )
        file = arena.stage.directory / "hostile.toml"
        file.write_text(text + _TABLE)
        arena.stage.use_producers(file)
        self._arena, self._now = arena, now
        self.reference: Reference = reference.load(producers_file=file)
        self.appeal, self.partly, self.wholly, self.robbed = (
            f"case-{name}" for name in ("appeal-01", "partly-01", "wholly-01", "robbed-01")
        )
        self.victims = list(self._victims())
        """What good producers report about these cases before the attacks."""
        self.late = [self._sent(self.robbed, self._miss(), source="/test")]
        """What they report after: its event id is taken by then."""

    def _victims(self) -> Iterator[Outgoing]:
        for case_id in (self.appeal, self.partly, self.wholly, self.robbed):
            yield self._sent(case_id, given.order(notified_at=self._ago(60)))
            if case_id != self.robbed:
                yield self._sent(case_id, self._miss())
        begins = given.circumstance(APPEAL, effective_at=self._ago(30), reference="appeal-1")
        yield self._sent(self.appeal, begins)

    def _miss(self) -> Fact:
        return given.miss(scheduled_at=self._ago(12))

    def squatters(self) -> list[Outgoing]:
        """Return valid events without a right to change anything, to publish before the rest.

        The first takes the id of an event that is still to come. The second ends an appeal of the
        register, with the greatest time and id that are accepted.
        """
        taken = UUID(dict(self.late[0].headers)["ce_id"].decode())
        school = given.circumstance(Guard.SCHOOL_TERM_SUSPENSION, effective_at=self._ago(2))
        return [
            self._sent("case-squatter-01", school, source="/schools", topic=SMALL, event_id=taken),
            self._end(self._now, _GREATEST),
        ]

    def _end(self, time: datetime, event_id: UUID | None = None) -> Outgoing:
        ends = given.circumstance(
            APPEAL,
            ends=True,
            effective_at=self._ago(20),
            reference="appeal-1",
            outcome=CircumstanceOutcome.REFUSED,
        )
        fact = given.retold(ends, "/communes", time=time)
        return self._sent(self.appeal, fact, source="/communes", topic=OWN, event_id=event_id)

    def attacks(self) -> list[Attack]:
        """Return the records that must be rejected, each with a key of its own."""
        begins = given.circumstance(APPEAL, effective_at=self._ago(2))
        doubt = given.circumstance(Guard.IDENTITY_DOUBT, effective_at=self._ago(2))
        order = given.order(notified_at=self._ago(2))
        anybody = self._sent("case-impostor-1", begins, source="urn:anybody", topic=OWN)
        foreign = self._sent("case-impostor-2", begins, source="/test", topic=OWN)
        beyond = self._sent("case-impostor-3", doubt, source="/communes", topic=OWN)
        canary = self._sent("canary-person1", order, source="/test")
        escaping = self._sent("case-escape-1", begins, source="/communes", topic=OWN)
        headers = tuple(pair for pair in escaping.headers if pair[0] != "ce_source")
        # Keys are unique, so that the letters are told apart.
        return [
            Attack("an unknown source", anybody, Reason.UNKNOWN_SOURCE),
            Attack("another's source", foreign, Reason.UNKNOWN_SOURCE),
            Attack("another's circumstance", beyond, Reason.BEYOND_AUTHORITY),
            Attack(
                "an end in the year 2100",
                self._end(datetime(2100, 1, 1, tzinfo=UTC)),
                Reason.ENVELOPE,
                self.appeal,
            ),
            Attack("a case of the canary", canary, Reason.RESERVED),
            Attack("a brace", self._brace(SMALL, self.partly), Reason.UNDECODABLE, self.partly),
            Attack("more", self._brace(MISSES, self.wholly), Reason.UNDECODABLE, self.wholly),
            Attack("20,000 subjects", self._crowd(), Reason.ENVELOPE),
            Attack(
                "terminal codes",
                replace(
                    escaping,
                    headers=(*headers, ("ce_source", _ESCAPES.encode()), (_ESCAPES, b"x")),
                ),
                Reason.ENVELOPE,
            ),
            Attack(
                "terminal codes in a key",
                Outgoing(OWN, _ESCAPES.encode(), _ESCAPES.encode(), ()),
                Reason.UNDECODABLE,
            ),
        ]

    def _brace(self, topic: str, case_id: str) -> Outgoing:
        return Outgoing(topic, case_id.encode(), b"{", ())

    def _crowd(self) -> Outgoing:
        named = [f"case-{number:05d}" for number in range(_SUBJECTS)]
        named[:4] = [self.appeal, self.partly, self.wholly, self.robbed]
        headers = tuple(("ce_subject", name.encode()) for name in named)
        return Outgoing(OWN, b"case-crowd", b"{}", headers)

    def flood(self) -> list[Outgoing]:
        """Return malformed records of 5 and of 50 KB, about cases that do not exist."""
        dice = self._arena.dice
        return [
            Outgoing(
                dice.choice((OWN, SMALL)),
                f"case-flood-{number:05d}".encode(),
                b"{" + dice.randbytes(50_000 if number % 50 == 0 else 5_000),
                (),
            )
            for number in range(_FLOOD)
        ]

    def bomb(self) -> None:
        """Send a small batch that holds 50 MB, to a topic that keeps it as it was sent."""
        servers = self._arena.stage.kafka.bootstrap_servers
        configure(servers, OWN, **{"compression.type": "producer"})
        asyncio.run(send_bomb(servers, "gzip", _BOMB, 0, OWN))

    def check_held(self, outcome: Outcome, attacks: Iterable[Attack]) -> None:
        """Check what each letter holds back, and by when somebody must decide."""
        query, policy = self._arena.stage.query, self.reference.policy
        held = {attack.holds for attack in attacks if attack.holds is not None}
        named = query("SELECT unnest(case_ids) FROM dead_letter")
        outcome.expect({row[0] for row in named} >= held, "a letter does not name its case")
        guards = {
            self.appeal: {APPEAL, Guard.SCHOOL_TERM_SUSPENSION},
            self.partly: {Guard.SCHOOL_TERM_SUSPENSION},
        }
        stored = self._stored()
        without_letters = self.decided([*self.victims, *self.late], stored)
        standing = {case_id: case.decided.rules for case_id, case in stored.items()}
        for case_id, unknown in guards.items():
            wanted = {
                name
                for name in without_letters[case_id].rules
                if (rule := policy.rule(name)) is not None and unknown <= rule.waives.keys()
            }
            outcome.expect(
                wanted <= standing[case_id],
                f"{case_id}: {standing[case_id]} stands under its letter, not {wanted}",
            )
        outcome.expect(bool(standing[self.partly]), "the case of a letter in part is mute")
        outcome.expect(not standing[self.wholly], "a case stands under its letter")
        rows = query(
            """
            SELECT case_id, next_check_at, next_reason, owner, updated_at FROM case_projection
            WHERE case_id = any(%s)
            """,
            sorted(held),
        )
        for case_id, check, reason, owner, decided_at in rows:
            due = decide_by(decided_at, self.reference.calendar)
            dated = check is not None and check <= due and bool(reason and owner)
            outcome.expect(dated, f"{case_id}: {check} ({reason}, {owner}), not by {due}")
        # The case of an event with a used id was locked before the log showed that it is used.
        ghosts = query(
            """
            SELECT count(*) FROM case_projection WHERE events = 0 AND case_id NOT IN (
                SELECT unnest(case_ids) FROM dead_letter WHERE reason = 'id_reused')
            """
        )
        outcome.expect(ghosts == [(0,)], f"{ghosts[0][0]} cases without an event")
        largest = query("SELECT max(length(value)) FROM dead_letter WHERE whole_bytes IS NOT NULL")
        outcome.expect(largest[0][0] == 16 * 1024, f"a letter of {largest[0][0]} bytes is stored")

    def check_shown(self, outcome: Outcome) -> None:
        """Check that what people read acts on no terminal, and marks what is without effect."""
        ids = self._arena.stage.query(
            "SELECT dead_letter_id FROM dead_letter WHERE value = %s", _ESCAPES.encode()
        )
        commands = [
            ("dead-letters", "list", "--limit", "5000"),
            *(("dead-letters", "show", str(row[0])) for row in ids),
            ("case", self.partly),
        ]
        for command in commands:
            shown = self._run(*command)
            outcome.expect(shown.exit_code == 0, f"{' '.join(command)}: exit {shown.exit_code}")
            outcome.expect("\x1b" not in shown.output, f"{' '.join(command)}: raw escape")
        listed = json.loads(self._run("worklist", "--office", "gent", "--json").output)
        blocked = {row["case_id"] for row in listed if row["action"] == "resolve_dead_letter"}
        held = {self.appeal, self.partly, self.wholly}
        outcome.expect(held <= blocked, f"{held - blocked}: not on the list of their office")
        events = json.loads(self._run("case", self.appeal, "--json").output)["events"]
        marked = {event["event_id"]: event["without_effect"] for event in events}
        outcome.expect(marked[str(_GREATEST)] == "/test", f"the end is not marked: {marked}")

    def resolve(self) -> None:
        """Discard the letters that name a case, with a second person, and resolve the gap."""
        query = self._arena.stage.query
        named = "SELECT dead_letter_id FROM dead_letter AS letter JOIN case_projection"
        named += " ON case_id = any(case_ids) WHERE letter.resolved_at IS NULL"
        for (letter,) in query(named):
            done = self._run(
                "dead-letters", "discard", str(letter), "--note", "attack", "--who", "lead"
            )
            assert done.exit_code == 0, done.output
        with psycopg.connect(self._arena.stage.postgres.url, autocommit=True) as conn:
            conn.execute("CREATE ROLE second LOGIN SUPERUSER")
        waiting = [str(request) for (request,) in query("SELECT request_id FROM discard_waiting")]
        assert waiting, "one person discards what may protect somebody"
        done = self._run(
            "dead-letters",
            "approve",
            *waiting,
            "--note",
            "attack",
            "--who",
            "official",
            by="second",
        )
        assert done.exit_code == 0, done.output
        gaps = query("SELECT gap_id, topic, reason FROM input_gap WHERE resolved_at IS NULL")
        assert [tuple(rest) for _, *rest in gaps] == [(OWN, "too_large")], gaps
        for gap, *_ in gaps:
            done = self._run("gaps", "resolve", str(gap), "--note", "attack")
            assert done.exit_code == 0, done.output

    def _run(self, *arguments: str, by: str = "postgres") -> Result:
        url = self._arena.stage.postgres.url.replace("//postgres@", f"//{by}@")
        environment = {
            **self._arena.stage.environment,
            "ICAM_DATABASE__URL": url,
            "COLUMNS": "200",
        }
        return CliRunner().invoke(main, arguments, env=environment)

    def check_decided(self, outcome: Outcome, records: Iterable[Outgoing]) -> None:
        """Check that the good producers' cases are decided as by their events alone."""
        differing = 0
        stored = self._stored()
        for case_id, wanted in self.decided(records, stored).items():
            actual = stored[case_id].decided
            if actual != wanted:
                differing += 1
                outcome.expect(differing > 5, f"{case_id}: {actual}, without attacks {wanted}")
        outcome.figures["good cases decided otherwise"] = differing

    def _stored(self) -> Mapping[str, Stored]:
        """Return what is stored about each case, all at one instant: terms may end after it."""
        rows = self._arena.stage.query(
            """
            SELECT case_id, known_since, updated_at, ARRAY(
                SELECT rule_id FROM escalation AS standing
                WHERE standing.case_id = shown.case_id AND withdrawn_at IS NULL
            ), status, order_id, level, office_id
            FROM case_projection AS shown
            """
        )
        return {
            case_id: Stored(since, at, Decided(frozenset(rules), *rest))
            for case_id, since, at, rules, *rest in rows
        }

    def decided(
        self, records: Iterable[Outgoing], stored: Mapping[str, Stored]
    ) -> Mapping[str, Decided]:
        """Return the decision on each case of these records, through the domain alone, as of the
        last decision that is stored.
        """
        facts: dict[str, list[Fact]] = {}
        for record in records:
            event = _decoded(record)
            fact = Fact(event.time, event.event_id, event.event, event.source)
            facts.setdefault(event.case_id, []).append(fact)
        ref, found = self.reference, {}
        for case_id, own in facts.items():
            decision = decide(
                fold(Case(case_id, rank=ref.producers.rank), own),
                Announced(known_since=stored[case_id].known_since),
                ref.tables,
                stored[case_id].decided_at,
            )
            found[case_id] = Decided(
                frozenset(given.raised(decision)),
                decision.status,
                decision.order_id,
                decision.level,
                decision.office_id,
            )
        return found

    def _ago(self, days: int) -> datetime:
        return self._now - timedelta(days=days)

    def _sent(
        self,
        case_id: str,
        fact: Fact,
        *,
        source: str = "/test",
        topic: str | None = None,
        event_id: UUID | None = None,
    ) -> Outgoing:
        event: Event = fact.event
        record = encode(
            event,
            event_id=event_id or UUID(int=self._arena.dice.getrandbits(128), version=4),
            case_id=case_id,
            source=source,
            time=fact.time,
        )
        return record if topic is None else replace(record, topic=topic)


class Decided(NamedTuple):
    """What a decision says about a case: the rules that stand, and where it is."""

    rules: frozenset[str]
    status: str
    order_id: str | None
    level: int
    office_id: str | None


class Stored(NamedTuple):
    """The decision on a case that is stored, and its instants."""

    known_since: datetime
    decided_at: datetime
    decided: Decided


def _decoded(record: Outgoing) -> Decoded:
    return decode(record.topic, record.key, record.value, record.headers)


def wait_for_letters(arena: Arena, number: int) -> None:
    """Wait until so many dead letters are stored."""

    def stored() -> bool:
        found: int = arena.stage.query("SELECT count(*) FROM dead_letter")[0][0]
        return found >= number

    until(stored, 120, f"{number} dead letters are stored")
