package be.icam.bench.domain;

import be.icam.bench.schemas.Code;
import be.icam.bench.schemas.Codes.Action;
import be.icam.bench.schemas.Codes.Conclusion;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.HouseholdKind;
import be.icam.bench.schemas.Codes.Lodging;
import be.icam.bench.schemas.Event.OqtIssued;
import be.icam.bench.schemas.Outcome.FactCheck;
import be.icam.bench.schemas.Outcome.NearMiss;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** A whole rule table and how it fits facts: streams/domain/policy/rules.py. Shared by threads. */
public final class Rules {
    enum Occasion implements Code { COUNTED_MISS, LAST_MISS, LAST_INTERVIEW, LAST_CONTACT }

    enum Clock implements Code { NOTIFIED, TERM_END, LAST_CONTACT, LAST_ATTEMPT }

    record Terms(int appealDays, int appealDaysInCustody, int residenceProspectWorkingDays) {}

    record Delay(Clock clock, int workingDays) {}

    record Rule(
            String id,
            String group,
            int level,
            Action action,
            Occasion occasion,
            int nth,
            List<Condition> when,
            List<Delay> after,
            Map<Guard, String> waives) {}

    /** The table as it was exported. */
    public record Table(
            String version,
            String digest,
            Terms terms,
            boolean interviewRestartsCount,
            List<Rule> rules) {}

    /** What a rule may test; null where it is not known. */
    record Facts(
            int countedMisses,
            Situation.Miss lastMiss,
            int interviewsHeld,
            Conclusion lastConclusion,
            Lodging lodging,
            HouseholdKind household,
            boolean residenceKnown,
            boolean repeatOrder) {

        static Facts of(Situation situation) {
            OqtIssued order = situation.order();
            return new Facts(
                    situation.counted().size(),
                    situation.lastMissed() == null ? null : situation.lastMissed().reading(),
                    situation.held().size(),
                    situation.lastHeld() == null ? null : situation.lastHeld().event().conclusion(),
                    order.lodging(),
                    order.household().kind(),
                    order.residencePostcode() != null,
                    order.repeatOrder());
        }

        /** A fact by name as a code; null where it is not known. */
        String code(String name) {
            return switch (name) {
                case "counted_misses" -> Integer.toString(countedMisses);
                case "last_miss" -> code(lastMiss);
                case "interviews_held" -> Integer.toString(interviewsHeld);
                case "last_conclusion" -> code(lastConclusion);
                case "lodging" -> code(lodging);
                case "household" -> code(household);
                case "residence_known" -> Boolean.toString(residenceKnown);
                case "repeat_order" -> Boolean.toString(repeatOrder);
                default -> throw new IllegalArgumentException("unknown fact " + name);
            };
        }

        private static String code(Code value) {
            return value == null ? null : value.code();
        }
    }

    /** One cell of the table: a fact, an operator and what it is held against. */
    record Condition(String fact, String operator, JsonNode operand) {
        /** Whether the fact fits; a fact that is not known never does. */
        boolean holds(Facts facts) {
            String value = facts.code(fact);
            return value != null && switch (operator) {
                case "at_least" -> Integer.parseInt(value) >= operand.intValue();
                case "is" -> value.equals(operand.asText());
                case "one_of" -> listed().anyMatch(value::equals);
                case "none_of" -> listed().noneMatch(value::equals);
                default -> throw new IllegalArgumentException("unknown operator " + operator);
            };
        }

        String text(Facts facts) {
            return fact + " is " + found(facts) + ", needs " + operator + " " + wanted();
        }

        FactCheck check(Facts facts) {
            return new FactCheck(fact, found(facts), operator, wanted());
        }

        private String found(Facts facts) {
            String value = facts.code(fact);
            return value == null ? "unknown" : value;
        }

        private String wanted() {
            return operand.isArray()
                    ? String.join(", ", (Iterable<String>) listed().sorted()::iterator)
                    : operand.asText();
        }

        private Stream<String> listed() {
            return StreamSupport.stream(operand.spliterator(), false).map(JsonNode::asText);
        }
    }

    /** The rules that match, their conditions as evidence, and what keeps the others from it. */
    record Fit(
            List<Rule> matching,
            Map<String, List<FactCheck>> checks,
            Map<String, NearMiss> misses) {}

    final Table table;
    private final Map<Facts, Fit> kept = new ConcurrentHashMap<>();

    public Rules(Table table) {
        this.table = table;
    }

    /** How the table fits these facts; kept, since the facts of most cases are the same few. */
    Fit fit(Facts facts) {
        return kept.computeIfAbsent(facts, this::fitted);
    }

    /** A rule by id; null when there is none. */
    Rule rule(String id) {
        return table.rules().stream().filter(rule -> rule.id().equals(id)).findFirst().orElse(null);
    }

    /** The rules above a rule, nearest first: those of its own group, then by level. */
    List<Rule> harsher(Rule than) {
        return table.rules().stream()
                .filter(rule -> rule.level() > than.level())
                .sorted(Comparator.comparing((Rule rule) -> !rule.group().equals(than.group()))
                        .thenComparing(Rule::level))
                .toList();
    }

    private Fit fitted(Facts facts) {
        List<Rule> matching = new ArrayList<>();
        Map<String, List<FactCheck>> checks = new HashMap<>();
        Map<String, NearMiss> misses = new HashMap<>();
        for (Rule rule : table.rules()) {
            List<String> failing = rule.when().stream()
                    .filter(condition -> !condition.holds(facts))
                    .map(condition -> condition.text(facts))
                    .toList();
            if (failing.isEmpty()) {
                matching.add(rule);
                checks.put(rule.id(), rule.when().stream().map(c -> c.check(facts)).toList());
            } else {
                misses.put(rule.id(), new NearMiss(rule.id(), rule.level(), failing));
            }
        }
        return new Fit(matching, checks, misses);
    }
}
