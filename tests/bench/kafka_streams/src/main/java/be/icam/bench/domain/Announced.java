package be.icam.bench.domain;

import be.icam.bench.domain.Decide.Decision;
import be.icam.bench.domain.Decide.Message;
import be.icam.bench.schemas.Codes.Track;
import be.icam.bench.schemas.Outcome.CaseRouted;
import be.icam.bench.schemas.Outcome.EscalationRaised;
import be.icam.bench.schemas.Outcome.EscalationWithdrawn;
import be.icam.bench.schemas.Outcome.RouteRef;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;

/**
 * What was announced about a case. {@code route} is null until it is routed; its rule is the one
 * that led there last, announced or not.
 */
public record Announced(
        RouteRef route, int routings, Map<UUID, Standing> standing, Map<UUID, Integer> rounds) {
    public static final Announced NOTHING = new Announced(null, 0, Map.of(), Map.of());

    /** An escalation that was announced and not withdrawn. */
    public record Standing(
            int round,
            String ruleId,
            int level,
            String orderId,
            String officeId,
            Track track,
            String policyDigest) {}

    /** What is announced once the messages of a decision are out. */
    Announced after(Decision decision) {
        int count = routings;
        Map<UUID, Standing> stands = new HashMap<>(standing);
        Map<UUID, Integer> used = new HashMap<>(rounds);
        for (Message message : decision.messages()) {
            if (message.outcome() instanceof CaseRouted) {
                count++;
            } else if (message.outcome() instanceof EscalationRaised said) {
                used.put(said.escalationId(), said.round());
                stands.put(said.escalationId(), new Standing(
                        said.round(),
                        said.ruleId(),
                        said.level(),
                        said.orderId(),
                        said.officeId(),
                        said.track(),
                        said.policyDigest()));
            } else if (message.outcome() instanceof EscalationWithdrawn said) {
                stands.remove(said.escalationId());
            }
        }
        return new Announced(decision.route(), count, stands, used);
    }
}
