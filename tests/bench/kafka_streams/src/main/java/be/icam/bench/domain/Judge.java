package be.icam.bench.domain;

import be.icam.bench.domain.Guards.Reading;
import be.icam.bench.domain.Rules.Clock;
import be.icam.bench.domain.Rules.Delay;
import be.icam.bench.domain.Rules.Facts;
import be.icam.bench.domain.Rules.Fit;
import be.icam.bench.domain.Rules.Rule;
import be.icam.bench.domain.Situation.Missed;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.GuardState;
import be.icam.bench.schemas.Outcome.ClockStep;
import be.icam.bench.schemas.Outcome.Evidence;
import be.icam.bench.schemas.Outcome.GuardCheck;
import be.icam.bench.schemas.Outcome.NearMiss;
import be.icam.bench.schemas.Times;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Which escalations a situation calls for at one instant: streams/domain/judge.py. */
final class Judge {
    /** A rule that matches and that no guard blocks, with its occasion. */
    record Proposal(Rule rule, String occasion, List<Fact> facts, OffsetDateTime dueAt) {}

    /** A rule that matches and is held back, and by what. */
    record Blocked(Rule rule, Map<Guard, Reading> by) {}

    /** What stands, what is held back, and when time alone can change either; null for never. */
    record Judgement(List<Proposal> wanted, List<Blocked> blocked, OffsetDateTime nextCheck) {}

    private record Occasion(String name, List<Fact> facts) {}

    final Rules rules;
    final OffsetDateTime now;
    private final Situation situation;
    private final Clocks clocks;
    private final Fit fit;
    private Map<Guard, Reading> guards;

    Judge(Situation situation, Rules rules, Clocks clocks, OffsetDateTime now) {
        this.situation = situation;
        this.rules = rules;
        this.clocks = clocks;
        this.now = clocks.local(now);
        this.fit = rules.fit(Facts.of(situation));
    }

    /** Within a group the highest rule that is not blocked wins. */
    Judgement judgement() {
        Map<String, Proposal> winners = new LinkedHashMap<>();
        List<Blocked> blocked = new ArrayList<>();
        List<OffsetDateTime> instants = new ArrayList<>();
        for (Rule rule : fit.matching()) {
            List<ClockStep> steps = steps(rule);
            List<ClockStep> late = late(steps);
            if (!late.isEmpty()) {
                late.forEach(step -> instants.add(step.due()));
                continue;
            }
            Map<Guard, Reading> heeded = heeded(rule);
            heeded.values().forEach(reading -> instants.addAll(reading.changesAt()));
            Map<Guard, Reading> blocking = blocking(heeded);
            if (!blocking.isEmpty()) {
                blocked.add(new Blocked(rule, blocking));
                continue;
            }
            Proposal current = winners.get(rule.group());
            if (current == null || rule.level() > current.rule.level()) {
                winners.put(rule.group(), proposal(rule, steps, heeded));
            }
        }
        return new Judgement(
                List.copyOf(winners.values()),
                blocked,
                Times.earliest(instants.stream().filter(at -> at.isAfter(now))));
    }

    /** Everything needed to check a proposal by hand. */
    Evidence evidence(Proposal proposal) {
        Rule rule = proposal.rule;
        return new Evidence(
                proposal.facts.stream().map(Fact::eventId).toList(),
                fit.checks().get(rule.id()),
                steps(rule),
                guards().entrySet().stream()
                        .map(guard -> check(rule, guard.getKey(), guard.getValue()))
                        .toList(),
                nearest(rule));
    }

    /** Why a rule does not stand now; empty when it does. */
    List<String> against(Rule rule) {
        NearMiss miss = fit.misses().get(rule.id());
        if (miss != null) {
            return miss.because();
        }
        List<ClockStep> late = late(steps(rule));
        if (!late.isEmpty()) {
            return late.stream()
                    .map(step -> step.clock() + " + " + step.workingDays()
                            + " working days: not before " + Times.iso(step.due()))
                    .toList();
        }
        return blocking(heeded(rule)).entrySet().stream()
                .map(blocking -> "guard " + blocking.getKey().code() + " is "
                        + blocking.getValue().state().code() + ": "
                        + blocking.getValue().because())
                .toList();
    }

    private Map<Guard, Reading> guards() {
        if (guards == null) {
            guards = Guards.read(situation, clocks, rules.table.terms(), now);
        }
        return guards;
    }

    /** The guards that the rule does not waive and that are not idle. */
    private Map<Guard, Reading> heeded(Rule rule) {
        Map<Guard, Reading> heeded = new LinkedHashMap<>();
        guards().forEach((guard, reading) -> {
            if (!reading.idle() && !rule.waives().containsKey(guard)) {
                heeded.put(guard, reading);
            }
        });
        return heeded;
    }

    private static Map<Guard, Reading> blocking(Map<Guard, Reading> heeded) {
        Map<Guard, Reading> blocking = new LinkedHashMap<>(heeded);
        blocking.values().removeIf(reading -> !reading.blocks());
        return blocking;
    }

    private List<ClockStep> steps(Rule rule) {
        return rule.after().stream().map(this::step).toList();
    }

    private ClockStep step(Delay delay) {
        OffsetDateTime start = start(delay.clock());
        int days = delay.workingDays();
        OffsetDateTime due = days == 0 ? start : clocks.afterWorkingDays(start, days);
        return new ClockStep(delay.clock().code(), start, days, due);
    }

    private List<ClockStep> late(List<ClockStep> steps) {
        return steps.stream().filter(step -> step.due().isAfter(now)).toList();
    }

    private OffsetDateTime start(Clock clock) {
        OffsetDateTime notified = situation.order().notifiedAt();
        return switch (clock) {
            case NOTIFIED -> notified;
            case TERM_END ->
                clocks.departureTermEnd(notified, situation.order().departureTermDays());
            case LAST_CONTACT -> situation.lastContact();
            case LAST_ATTEMPT ->
                situation.lastAttempt() == null ? notified : situation.lastAttempt();
        };
    }

    private Proposal proposal(Rule rule, List<ClockStep> steps, Map<Guard, Reading> heeded) {
        Occasion occasion = occasion(rule);
        Stream<OffsetDateTime> due = Stream.of(
                        occasion.facts.stream().map(Fact::time),
                        steps.stream().map(ClockStep::due),
                        heeded.values().stream()
                                .map(Reading::clearedAt)
                                .filter(at -> at != null))
                .flatMap(times -> times);
        return new Proposal(rule, occasion.name, occasion.facts, Times.latest(due));
    }

    private Occasion occasion(Rule rule) {
        String prefix = situation.order().orderId();
        Set<Fact> facts = new LinkedHashSet<>(Set.of(situation.orderFact()));
        switch (rule.occasion()) {
            case COUNTED_MISS -> {
                List<Missed> missed = situation.counted().subList(0, rule.nth());
                missed.forEach(item -> facts.add(item.fact()));
                prefix += "/miss/" + missed.get(missed.size() - 1).event().appointmentId();
            }
            case LAST_MISS -> {
                facts.add(situation.lastMissed().fact());
                prefix += "/miss/" + situation.lastMissed().event().appointmentId();
            }
            case LAST_INTERVIEW -> {
                facts.add(situation.lastHeld().fact());
                prefix += "/interview/" + situation.lastHeld().event().interviewId();
            }
            case LAST_CONTACT -> {
                facts.add(situation.lastContactFact());
                prefix += "/silent-since/" + clocks.localDate(situation.lastContact());
            }
        }
        return new Occasion(prefix, List.copyOf(facts));
    }

    private NearMiss nearest(Rule rule) {
        for (Rule harsher : rules.harsher(rule)) {
            List<String> because = against(harsher);
            if (!because.isEmpty()) {
                return new NearMiss(harsher.id(), harsher.level(), because);
            }
        }
        return null;
    }

    private static GuardCheck check(Rule rule, Guard guard, Reading reading) {
        String reason = rule.waives().get(guard);
        return reason == null || !reading.blocks()
                ? new GuardCheck(guard, reading.state(), reading.because())
                : new GuardCheck(
                        guard, GuardState.WAIVED, reading.because() + "; waived: " + reason);
    }
}
