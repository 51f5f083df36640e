package be.icam.bench.domain;

import be.icam.bench.schemas.Ids;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;

/**
 * Everything known of one person's follow-up: of every fact its newest version, and the ids of the
 * events whose facts were corrected, so that every event of the case is told from a new one.
 */
public record Case(List<Fact> facts, List<UUID> corrected) {
    public static final Case EMPTY = new Case(List.of(), List.of());

    /** Whether an event was taken in. */
    public boolean knows(UUID eventId) {
        return facts.stream().anyMatch(fact -> fact.eventId().equals(eventId))
                || corrected.contains(eventId);
    }

    /** How many events were taken in. */
    public int events() {
        return facts.size() + corrected.size();
    }

    /** The case with one more event taken in, in whatever order they come. */
    public Case evolve(Fact fact) {
        String key = fact.event().key();
        for (int at = 0; at < facts.size(); at++) {
            Fact known = facts.get(at);
            if (known.event().key().equals(key)) {
                boolean newer = fact.corrects(known);
                return new Case(
                        newer ? replaced(at, fact) : facts,
                        added(corrected, newer ? known.eventId() : fact.eventId()));
            }
        }
        return new Case(added(facts, fact), corrected);
    }

    /** streams/store/facts.py: SHA-256 over the ids of the events whose facts stand, ascending. */
    public String digest() {
        MessageDigest sha256 = Ids.digest("SHA-256");
        facts.stream().map(Fact::eventId).sorted(Ids.ORDER).map(Ids::bytes).forEach(sha256::update);
        return HexFormat.of().formatHex(sha256.digest());
    }

    private List<Fact> replaced(int at, Fact fact) {
        List<Fact> copy = new ArrayList<>(facts);
        copy.set(at, fact);
        return copy;
    }

    private static <T> List<T> added(List<T> items, T item) {
        List<T> copy = new ArrayList<>(items.size() + 1);
        copy.addAll(items);
        copy.add(item);
        return copy;
    }
}
