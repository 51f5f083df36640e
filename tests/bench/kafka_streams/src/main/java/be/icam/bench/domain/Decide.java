package be.icam.bench.domain;

import be.icam.bench.domain.Announced.Standing;
import be.icam.bench.domain.Judge.Judgement;
import be.icam.bench.domain.Judge.Proposal;
import be.icam.bench.domain.Routing.Route;
import be.icam.bench.domain.Rules.Rule;
import be.icam.bench.schemas.Codes.WithdrawalReason;
import be.icam.bench.schemas.Ids;
import be.icam.bench.schemas.Outcome;
import be.icam.bench.schemas.Outcome.CaseRouted;
import be.icam.bench.schemas.Outcome.EscalationRaised;
import be.icam.bench.schemas.Outcome.EscalationWithdrawn;
import be.icam.bench.schemas.Outcome.RouteRef;
import be.icam.bench.schemas.Times;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * From a case and what stands about it to what must be announced: streams/domain/decide.py, less
 * dead letters, which this program has none of.
 */
public final class Decide {
    /** An outcome with the id under which it is published. */
    public record Message(UUID id, Outcome outcome) {}

    /** What to announce, where the case is routed (null while no order is known), what it shows. */
    record Decision(List<Message> messages, RouteRef route, Projection projection) {}

    private final Reference reference;
    private final String caseId;
    private final Announced announced;
    private final OffsetDateTime now;
    private final List<Message> messages = new ArrayList<>();

    private Decide(Reference reference, String caseId, Announced announced, OffsetDateTime now) {
        this.reference = reference;
        this.caseId = caseId;
        this.announced = announced;
        this.now = now;
    }

    static Decision decide(
            String caseId,
            Case known,
            Announced announced,
            Reference reference,
            OffsetDateTime now) {
        Decide deciding = new Decide(reference, caseId, announced, now);
        Situation situation =
                Situation.read(known, reference.rules().table.interviewRestartsCount());
        return situation == null ? deciding.withoutOrder() : deciding.under(situation);
    }

    /** There is nothing to route and nothing can stand. */
    private Decision withoutOrder() {
        sorted(announced.standing()).forEach((id, standing) -> withdraw(
                id, standing, WithdrawalReason.NO_LONGER_HOLDS, List.of("no order is known")));
        return new Decision(
                messages,
                null,
                new Projection("awaiting_order", null, null, null, 0, List.of(), null));
    }

    private Decision under(Situation situation) {
        Judge judge = new Judge(situation, reference.rules(), reference.clocks(), now);
        Judgement judgement = judge.judgement();
        NavigableMap<UUID, Proposal> wanted = new TreeMap<>(Ids.ORDER);
        judgement.wanted().forEach(proposal -> wanted.put(identify(proposal), proposal));
        Route where = Routing.route(
                situation.order(), reference.directory(), reference.clocks(), judge.now);
        RouteRef route = routed(situation, where);

        NavigableMap<UUID, Standing> standing = sorted(announced.standing());
        standing.forEach((id, held) -> {
            if (!wanted.containsKey(id)) {
                Why why = why(held, situation, judge, judgement);
                withdraw(id, held, why.reason, why.because);
            }
        });
        standing.keySet().retainAll(wanted.keySet());
        // What one office was asked, another does not know: it is asked anew.
        standing.entrySet().removeIf(entry -> rerouted(entry.getKey(), entry.getValue(), where));
        wanted.forEach((id, proposal) -> {
            if (!standing.containsKey(id)) {
                raise(id, proposal, situation, judge, where);
            }
        });

        int level = wanted.values().stream().mapToInt(p -> p.rule().level()).max().orElse(0);
        String quiet = judgement.blocked().isEmpty() ? "followed" : "on_hold";
        return new Decision(messages, route, new Projection(
                level > 0 ? "escalated" : quiet,
                situation.order().orderId(),
                where.officeId(),
                where.track(),
                level,
                judgement.blocked().stream().map(Projection.HeldBack::of).toList(),
                Times.earliest(Stream.of(judgement.nextCheck(), where.until())
                        .filter(at -> at != null && at.isAfter(now)))));
    }

    /** The same case, rule and occasion always give the same id. */
    private UUID identify(Proposal proposal) {
        return named(caseId + "|" + proposal.rule().id() + "|" + proposal.occasion());
    }

    private UUID named(String name) {
        return Ids.named(reference.namespace(), name);
    }

    /** Another rule that leads to the same office tells nobody anything new. */
    private RouteRef routed(Situation situation, Route where) {
        RouteRef previous = announced.route();
        RouteRef route = new RouteRef(
                situation.order().orderId(),
                where.officeId(),
                where.track(),
                where.language(),
                where.interpreterLanguage(),
                where.ruleId());
        if (previous != null && route.equals(previous.by(where.ruleId()))) {
            return route;
        }
        int count = announced.routings() + 1;
        messages.add(new Message(named(caseId + "|routed|" + count), new CaseRouted(
                caseId,
                route.orderId(),
                route.officeId(),
                route.track(),
                route.language(),
                route.interpreterLanguage(),
                route.ruleId(),
                where.reason(),
                where.asOf(),
                reference.directory().table.version(),
                reference.directory().table.digest(),
                previous)));
        return route;
    }

    private void raise(UUID id, Proposal proposal, Situation situation, Judge judge, Route where) {
        Rule rule = proposal.rule();
        int round = announced.rounds().getOrDefault(id, 0) + 1;
        messages.add(new Message(named(id + "|raised|" + round), new EscalationRaised(
                "raised",
                id,
                round,
                caseId,
                situation.order().orderId(),
                proposal.occasion(),
                rule.level(),
                rule.action(),
                rule.id(),
                judge.rules.table.version(),
                judge.rules.table.digest(),
                where.officeId(),
                where.track(),
                proposal.dueAt(),
                now,
                "human",
                judge.evidence(proposal))));
    }

    private boolean rerouted(UUID id, Standing held, Route where) {
        if (held.officeId().equals(where.officeId()) && held.track() == where.track()) {
            return false;
        }
        String because = "to " + where.officeId() + " (" + where.track().code() + ")";
        withdraw(id, held, WithdrawalReason.REROUTED, List.of(because));
        return true;
    }

    private void withdraw(
            UUID id, Standing standing, WithdrawalReason reason, List<String> because) {
        messages.add(new Message(
                named(id + "|withdrawn|" + standing.round()),
                new EscalationWithdrawn(
                        "withdrawn",
                        id,
                        standing.round(),
                        caseId,
                        standing.ruleId(),
                        standing.level(),
                        standing.officeId(),
                        reason,
                        because,
                        now)));
    }

    private record Why(WithdrawalReason reason, List<String> because) {}

    private Why why(Standing standing, Situation situation, Judge judge, Judgement judgement) {
        String orderId = situation.order().orderId();
        if (!standing.orderId().equals(orderId)) {
            return new Why(WithdrawalReason.ORDER_SUPERSEDED, List.of("by " + orderId));
        }
        Rule rule = judge.rules.rule(standing.ruleId());
        if (rule == null) {
            String text = "no such rule in " + judge.rules.table.version();
            return new Why(WithdrawalReason.POLICY_CHANGED, List.of(text));
        }
        List<String> against = judge.against(rule);
        if (judgement.blocked().stream().anyMatch(blocked -> blocked.rule() == rule)) {
            return new Why(WithdrawalReason.GUARD, against);
        }
        for (Proposal proposal : judgement.wanted()) {
            Rule winner = proposal.rule();
            if (winner.group().equals(rule.group()) && winner.level() > rule.level()) {
                return new Why(WithdrawalReason.SUPERSEDED, List.of("by " + winner.id()));
            }
        }
        if (against.isEmpty()) {
            List<String> text = List.of("it stands on another occasion now");
            return new Why(WithdrawalReason.NO_LONGER_HOLDS, text);
        }
        boolean samePolicy = standing.policyDigest().equals(judge.rules.table.digest());
        return new Why(
                samePolicy ? WithdrawalReason.NO_LONGER_HOLDS : WithdrawalReason.POLICY_CHANGED,
                against);
    }

    private static NavigableMap<UUID, Standing> sorted(Map<UUID, Standing> standing) {
        NavigableMap<UUID, Standing> sorted = new TreeMap<>(Ids.ORDER);
        sorted.putAll(standing);
        return sorted;
    }
}
