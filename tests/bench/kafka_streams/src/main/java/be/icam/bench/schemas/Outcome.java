package be.icam.bench.schemas;

import be.icam.bench.schemas.Codes.Action;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.GuardState;
import be.icam.bench.schemas.Codes.Language;
import be.icam.bench.schemas.Codes.Track;
import be.icam.bench.schemas.Codes.WithdrawalReason;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.UUID;

/** What is announced: schemas/outcomes.py. The order of the fields is that of the message. */
public sealed interface Outcome {
    String CASE_ROUTED_TOPIC = "icam.case-routed.v1";
    String ESCALATION_TOPIC = "icam.escalation.v1";

    /** CloudEvents type. */
    String type();

    String topic();

    record RouteRef(
            String orderId,
            String officeId,
            Track track,
            Language language,
            String interpreterLanguage,
            String ruleId) {
        /** The same place, found by another rule. */
        public RouteRef by(String otherRule) {
            return new RouteRef(
                    orderId, officeId, track, language, interpreterLanguage, otherRule);
        }
    }

    record CaseRouted(
            String caseId,
            String orderId,
            String officeId,
            Track track,
            Language language,
            String interpreterLanguage,
            String ruleId,
            String reason,
            OffsetDateTime asOf,
            String directoryVersion,
            String directoryDigest,
            RouteRef previous)
            implements Outcome {
        @Override
        public String type() {
            return "icam.case-routed.v1";
        }

        @Override
        public String topic() {
            return CASE_ROUTED_TOPIC;
        }
    }

    record GuardCheck(Guard guard, GuardState state, String because) {}

    record FactCheck(String fact, String found, String test, String wanted) {}

    record ClockStep(String clock, OffsetDateTime start, int workingDays, OffsetDateTime due) {}

    record NearMiss(String ruleId, int level, List<String> because) {}

    record Evidence(
            List<UUID> eventIds,
            List<FactCheck> facts,
            List<ClockStep> clocks,
            List<GuardCheck> guards,
            NearMiss nearest) {}

    record EscalationRaised(
            String kind,
            UUID escalationId,
            int round,
            String caseId,
            String orderId,
            String occasion,
            int level,
            Action action,
            String ruleId,
            String policyVersion,
            String policyDigest,
            String officeId,
            Track track,
            OffsetDateTime dueAt,
            OffsetDateTime detectedAt,
            String decidedBy,
            Evidence evidence)
            implements Outcome {
        @Override
        public String type() {
            return "icam.escalation-raised.v1";
        }

        @Override
        public String topic() {
            return ESCALATION_TOPIC;
        }
    }

    record EscalationWithdrawn(
            String kind,
            UUID escalationId,
            int round,
            String caseId,
            String ruleId,
            int level,
            String officeId,
            WithdrawalReason reason,
            List<String> because,
            OffsetDateTime withdrawnAt)
            implements Outcome {
        @Override
        public String type() {
            return "icam.escalation-withdrawn.v1";
        }

        @Override
        public String topic() {
            return ESCALATION_TOPIC;
        }
    }
}
