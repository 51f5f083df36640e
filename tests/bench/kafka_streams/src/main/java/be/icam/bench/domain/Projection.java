package be.icam.bench.domain;

import be.icam.bench.domain.Judge.Blocked;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.GuardState;
import be.icam.bench.schemas.Codes.Track;
import java.time.OffsetDateTime;
import java.util.List;

/**
 * Where a case stands, for people to look up. Order, office and track are null while no order is
 * known; {@code nextCheck} is null when time alone changes nothing.
 */
public record Projection(
        String status,
        String orderId,
        String officeId,
        Track track,
        int level,
        List<HeldBack> blocked,
        OffsetDateTime nextCheck) {

    /** A rule that is held back. */
    public record HeldBack(String ruleId, int level, List<Blocker> by) {
        static HeldBack of(Blocked blocked) {
            List<Blocker> by = blocked.by().entrySet().stream()
                    .map(guard -> new Blocker(
                            guard.getKey(), guard.getValue().state(), guard.getValue().because()))
                    .toList();
            return new HeldBack(blocked.rule().id(), blocked.rule().level(), by);
        }
    }

    public record Blocker(Guard guard, GuardState state, String because) {}
}
