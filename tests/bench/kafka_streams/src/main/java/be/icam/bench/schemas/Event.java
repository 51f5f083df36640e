package be.icam.bench.schemas;

import be.icam.bench.schemas.Codes.Annex;
import be.icam.bench.schemas.Codes.Channel;
import be.icam.bench.schemas.Codes.CircumstanceState;
import be.icam.bench.schemas.Codes.CoachRole;
import be.icam.bench.schemas.Codes.Conclusion;
import be.icam.bench.schemas.Codes.Cooperation;
import be.icam.bench.schemas.Codes.Delivery;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.HouseholdKind;
import be.icam.bench.schemas.Codes.Justification;
import be.icam.bench.schemas.Codes.Language;
import be.icam.bench.schemas.Codes.Lodging;
import be.icam.bench.schemas.Codes.Review;
import be.icam.bench.schemas.Codes.TermReason;
import java.time.OffsetDateTime;
import java.util.Map;

/** The four facts that upstream systems publish about a case: schemas/events.py. */
public sealed interface Event {
    /** CloudEvents type, which is also the input topic, to model. */
    Map<String, Class<? extends Event>> TYPES = Map.of(
            "icam.oqt-issued.v1", OqtIssued.class,
            "icam.appointment-missed.v1", AppointmentMissed.class,
            "icam.interview-completed.v1", InterviewCompleted.class,
            "icam.circumstance-changed.v1", CircumstanceChanged.class);

    /** What the fact is about; a later fact with the same key corrects this one. */
    String key();

    /** When a fact of the past happened; null where it may lie ahead. */
    default OffsetDateTime happened() {
        return null;
    }

    /** Refuses, with {@link Invalid}, what the Python models refuse. */
    void check();

    record Notification(Channel channel, boolean proven) {}

    record Household(HouseholdKind kind, Integer minors) {
        public Household {
            minors = minors == null ? 0 : minors;
        }

        void check() {
            Checks.present("household", kind);
            Checks.between("minors", minors, 0, 20);
            Checks.that(kind != HouseholdKind.FAMILY_WITH_MINORS || minors > 0, "no minor");
            Checks.that(kind != HouseholdKind.SINGLE || minors == 0, "a single with minors");
        }
    }

    record Appointment(String appointmentId, String officeId, OffsetDateTime at) {
        void check() {
            Checks.reference("appointment_id", appointmentId);
            Checks.officeId("office_id", officeId);
            Checks.present("at", at);
        }
    }

    record Invitation(Delivery delivery, Language language) {}

    record OqtIssued(
            String orderId,
            Annex annex,
            OffsetDateTime notifiedAt,
            Notification notification,
            int departureTermDays,
            TermReason departureTermReason,
            boolean repeatOrder,
            String residencePostcode,
            String interceptionPostcode,
            Lodging lodging,
            Household household,
            Language language,
            String interpreterLanguage,
            Appointment firstAppointment)
            implements Event {
        @Override
        public String key() {
            return "order:" + orderId;
        }

        @Override
        public void check() {
            Checks.reference("order_id", orderId);
            Checks.present("order", annex, notifiedAt, notification, lodging, household, language);
            Checks.present("channel", notification.channel());
            Checks.between("departure_term_days", departureTermDays, 0, 30);
            Checks.that(
                    departureTermDays == 30 || departureTermReason != null,
                    "a short term without a reason");
            household.check();
            if (residencePostcode != null) {
                Checks.postcode("residence_postcode", residencePostcode);
            }
            if (interceptionPostcode != null) {
                Checks.postcode("interception_postcode", interceptionPostcode);
            }
            if (interpreterLanguage != null) {
                Checks.languageTag("interpreter_language", interpreterLanguage);
            }
            if (firstAppointment != null) {
                firstAppointment.check();
            }
        }
    }

    record AppointmentMissed(
            String orderId,
            String appointmentId,
            int sequence,
            OffsetDateTime scheduledAt,
            String officeId,
            Invitation invitation,
            Justification justification,
            Review review)
            implements Event {
        @Override
        public String key() {
            return "miss:" + appointmentId;
        }

        @Override
        public OffsetDateTime happened() {
            return scheduledAt;
        }

        @Override
        public void check() {
            Checks.reference("order_id", orderId);
            Checks.reference("appointment_id", appointmentId);
            Checks.between("sequence", sequence, 1, 999);
            Checks.officeId("office_id", officeId);
            Checks.present("miss", scheduledAt, invitation, justification, review);
            Checks.present("invitation", invitation.delivery(), invitation.language());
        }
    }

    record InterviewCompleted(
            String orderId,
            String interviewId,
            String appointmentId,
            int sequence,
            OffsetDateTime heldAt,
            String officeId,
            CoachRole coachRole,
            Conclusion conclusion,
            Cooperation cooperation,
            boolean vulnerabilityReviewed,
            Appointment nextAppointment)
            implements Event {
        @Override
        public String key() {
            return "interview:" + interviewId;
        }

        @Override
        public OffsetDateTime happened() {
            return heldAt;
        }

        @Override
        public void check() {
            Checks.reference("order_id", orderId);
            Checks.reference("interview_id", interviewId);
            if (appointmentId != null) {
                Checks.reference("appointment_id", appointmentId);
            }
            Checks.between("sequence", sequence, 1, 999);
            Checks.officeId("office_id", officeId);
            Checks.present("interview", heldAt, coachRole, conclusion, cooperation);
            if (nextAppointment != null) {
                nextAppointment.check();
            }
        }
    }

    record CircumstanceChanged(
            String orderId,
            Guard circumstance,
            CircumstanceState state,
            OffsetDateTime effectiveAt,
            String reference)
            implements Event {
        @Override
        public String key() {
            return "circumstance:" + circumstance.code() + ":" + reference + ":" + state.code();
        }

        @Override
        public void check() {
            if (orderId != null) {
                Checks.reference("order_id", orderId);
            }
            Checks.present("circumstance", circumstance, state, effectiveAt);
            Checks.reference("reference", reference);
        }
    }
}
