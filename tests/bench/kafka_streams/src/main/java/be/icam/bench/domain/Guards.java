package be.icam.bench.domain;

import be.icam.bench.domain.Rules.Terms;
import be.icam.bench.domain.Situation.Held;
import be.icam.bench.domain.Situation.Miss;
import be.icam.bench.domain.Situation.Missed;
import be.icam.bench.schemas.Codes.CircumstanceState;
import be.icam.bench.schemas.Codes.Conclusion;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.GuardState;
import be.icam.bench.schemas.Codes.HouseholdKind;
import be.icam.bench.schemas.Codes.Lodging;
import be.icam.bench.schemas.Event.CircumstanceChanged;
import be.icam.bench.schemas.Event.Notification;
import be.icam.bench.schemas.Event.OqtIssued;
import be.icam.bench.schemas.Times;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What blocks an escalation; unknown counts as blocked: streams/domain/guards/evaluate.py. */
final class Guards {
    /**
     * One guard as read: its state, why, when the passing of time lifted it (null when time played
     * no part), and the instants at which time alone changes it.
     */
    record Reading(
            GuardState state,
            String because,
            OffsetDateTime clearedAt,
            List<OffsetDateTime> changesAt) {
        /** Whether it is clear whatever the time: it neither blocks nor delays anything. */
        boolean idle() {
            return state == GuardState.CLEAR && clearedAt == null && changesAt.isEmpty();
        }

        boolean blocks() {
            return state != GuardState.CLEAR;
        }

        /** The worse of two readings of one guard. */
        Reading with(Reading reported) {
            Reading worst = reported.state.compareTo(state) > 0 ? reported : this;
            return new Reading(
                    worst.state,
                    worst.because,
                    worst.blocks()
                            ? null
                            : Times.latest(Stream.of(this, reported)
                                    .map(Reading::clearedAt)
                                    .filter(at -> at != null)),
                    Stream.concat(changesAt.stream(), reported.changesAt.stream()).toList());
        }
    }

    private static final Reading NOTHING_REPORTED = flag(false, "nothing reported");

    private final Situation situation;
    private final Clocks clocks;
    private final Terms terms;
    private final OffsetDateTime now;

    private Guards(Situation situation, Clocks clocks, Terms terms, OffsetDateTime now) {
        this.situation = situation;
        this.clocks = clocks;
        this.terms = terms;
        this.now = now;
    }

    /** Returns every guard as it stands; of each, the worst that is known of it. */
    static Map<Guard, Reading> read(
            Situation situation, Clocks clocks, Terms terms, OffsetDateTime now) {
        return new Guards(situation, clocks, terms, now).all();
    }

    private Map<Guard, Reading> all() {
        Map<Guard, Reading> readings = new EnumMap<>(Guard.class);
        for (Guard guard : Guard.values()) {
            Reading own = own(guard);
            List<CircumstanceChanged> reported = situation.circumstances().get(guard);
            readings.put(guard, reported == null ? own : own.with(reported(guard, reported)));
        }
        return readings;
    }

    private Reading own(Guard guard) {
        return switch (guard) {
            case DEPARTURE_TERM_RUNNING -> departureTerm();
            case APPEAL_TERM_RUNNING -> appealTerm();
            case NEW_RESIDENCE_PROCEDURE -> residenceProspect();
            case UNACCOMPANIED_MINOR -> household(HouseholdKind.UNACCOMPANIED_MINOR);
            case FAMILY_WITH_MINORS -> household(HouseholdKind.FAMILY_WITH_MINORS);
            case NOTIFICATION_NOT_PROVEN -> notification();
            case JUSTIFIED_ABSENCE_PENDING -> justifiedAbsence();
            case WRONG_LANGUAGE_INVITATION -> wrongLanguage();
            case VOLUNTARY_RETURN_IN_PROGRESS -> voluntaryReturn();
            default -> NOTHING_REPORTED;
        };
    }

    private Reading departureTerm() {
        OqtIssued order = situation.order();
        return until(
                "departure term ends",
                clocks.departureTermEnd(order.notifiedAt(), order.departureTermDays()));
    }

    private Reading appealTerm() {
        OqtIssued order = situation.order();
        boolean custody =
                order.lodging() == Lodging.DETAINED || order.lodging() == Lodging.RETURN_HOUSE;
        int days = custody ? terms.appealDaysInCustody() : terms.appealDays();
        LocalDate last = clocks.localDate(order.notifiedAt()).plusDays(days);
        return until("appeal term ends", clocks.endOf(clocks.thisOrNextWorking(last)));
    }

    private Reading residenceProspect() {
        Held last = situation.lastHeld();
        if (last == null || last.event().conclusion() != Conclusion.RESIDENCE_PROSPECT) {
            return flag(false, "no residence prospect in the last interview");
        }
        return until(
                "time to lodge an application ends",
                clocks.afterWorkingDays(
                        last.event().heldAt(), terms.residenceProspectWorkingDays()));
    }

    private Reading household(HouseholdKind blocking) {
        HouseholdKind kind = situation.order().household().kind();
        return flag(kind == blocking, "household " + kind.code());
    }

    private Reading notification() {
        Notification by = situation.order().notification();
        String proven = by.proven() ? ", proven" : ", not proven";
        return flag(!by.proven(), "by " + by.channel().code() + proven);
    }

    private Reading justifiedAbsence() {
        String names = situation.missed().stream()
                .filter(item -> item.reading() == Miss.PENDING)
                .map(item -> item.event().appointmentId())
                .collect(Collectors.joining(", "));
        return names.isEmpty()
                ? flag(false, "no reason awaits review")
                : flag(true, names + ": reason not yet reviewed");
    }

    private Reading wrongLanguage() {
        Missed last = situation.lastMissed();
        return last != null && last.reading() == Miss.WRONG_LANGUAGE
                ? flag(true, "last invitation in another language")
                : flag(false, "last invitation understandable");
    }

    private Reading voluntaryReturn() {
        Held last = situation.lastHeld();
        return last != null && last.event().conclusion() == Conclusion.VOLUNTARY_RETURN_ACCEPTED
                ? flag(true, "accepted in the last interview")
                : flag(false, "not accepted in the last interview");
    }

    private Reading reported(Guard guard, List<CircumstanceChanged> reported) {
        Map<String, Map<CircumstanceState, OffsetDateTime>> spans = new TreeMap<>();
        for (CircumstanceChanged event : reported) {
            spans.computeIfAbsent(
                            event.reference(), name -> new EnumMap<>(CircumstanceState.class))
                    .put(event.state(), event.effectiveAt());
        }
        List<OffsetDateTime> ends = new ArrayList<>();
        List<OffsetDateTime> changes = new ArrayList<>();
        GuardState state = GuardState.CLEAR;
        String because = "ended";
        for (var span : spans.entrySet()) {
            String reference = span.getKey();
            OffsetDateTime begins = span.getValue().get(CircumstanceState.BEGINS);
            OffsetDateTime until = span.getValue().get(CircumstanceState.ENDS);
            if (guard == Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED && until == null) {
                until = begins == null ? null : reviewedAfter(begins);
            }
            if (begins != null && until != null && until.isBefore(begins)) {
                String contradiction = reference + " ends before it begins";
                return new Reading(GuardState.UNKNOWN, contradiction, null, changes);
            }
            Stream.of(Optional.ofNullable(begins), Optional.ofNullable(until))
                    .flatMap(Optional::stream)
                    .forEach(changes::add);
            boolean started = begins == null || !begins.isAfter(now);
            if (started && (until == null || until.isAfter(now))) {
                state = GuardState.ACTIVE;
                because = reference
                        + (begins == null ? " begin not reported" : " since " + Times.iso(begins));
            } else if (started) {
                ends.add(until);
            } else if (state == GuardState.CLEAR) {
                because = reference + " not begun";
            }
        }
        return new Reading(state, because, Times.latest(ends.stream()), changes);
    }

    private OffsetDateTime reviewedAfter(OffsetDateTime begins) {
        return situation.held().stream()
                .filter(item -> item.event().vulnerabilityReviewed())
                .map(item -> item.event().heldAt())
                .filter(at -> !at.isBefore(begins))
                .findFirst()
                .orElse(null);
    }

    private Reading until(String name, OffsetDateTime end) {
        String text = name + " " + Times.iso(end);
        return now.isBefore(end)
                ? new Reading(GuardState.ACTIVE, text + ", still running", null, List.of(end))
                : new Reading(GuardState.CLEAR, text + ", run out", end, List.of());
    }

    private static Reading flag(boolean active, String because) {
        GuardState state = active ? GuardState.ACTIVE : GuardState.CLEAR;
        return new Reading(state, because, null, List.of());
    }
}
