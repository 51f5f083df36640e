package be.icam.bench.domain;

import be.icam.bench.domain.Decide.Decision;
import be.icam.bench.domain.Decide.Message;
import java.time.OffsetDateTime;
import java.util.List;

/** All that is kept of one case: its facts, what was announced, and where it stands. */
public record CaseState(Case facts, Announced announced, Projection projection) {
    public static final CaseState NEW = new CaseState(Case.EMPTY, Announced.NOTHING, null);

    /** The case after one more event, and what is to be announced of it. */
    public record Step(CaseState state, List<Message> messages) {}

    /** Takes an event in that the case does not know yet: fold, decide, and what follows. */
    public Step take(String caseId, Fact fact, Reference reference, OffsetDateTime now) {
        Case evolved = facts.evolve(fact);
        Decision decision = Decide.decide(caseId, evolved, announced, reference, now);
        return new Step(
                new CaseState(evolved, announced.after(decision), decision.projection()),
                decision.messages());
    }
}
