package be.icam.bench.schemas;

import java.util.Locale;

/** The code lists of the vocabulary: schemas/types.py, events.py and outcomes.py. */
public final class Codes {
    private Codes() {}

    public enum Language implements Code { NL, FR, DE }

    /** In the order in which evidence lists them. */
    public enum Guard implements Code {
        APPEAL_SUSPENSIVE_PENDING,
        APPEAL_TERM_RUNNING,
        DEPARTURE_TERM_RUNNING,
        NEW_RESIDENCE_PROCEDURE,
        ASYLUM_REQUEST_PENDING,
        MARRIAGE_OR_COHABITATION_PENDING,
        UNACCOMPANIED_MINOR,
        SCHOOL_TERM_SUSPENSION,
        FAMILY_WITH_MINORS,
        MEDICAL_OR_VULNERABLE_UNREVIEWED,
        NOTIFICATION_NOT_PROVEN,
        JUSTIFIED_ABSENCE_PENDING,
        NON_REFOULEMENT_CHECK_MISSING,
        VOLUNTARY_RETURN_IN_PROGRESS,
        EXTENSION_GRANTED,
        WRONG_LANGUAGE_INVITATION,
        IDENTITY_DOUBT
    }

    public enum Annex implements Code {
        A12, A13, A13BIS, A13QUINQUIES, A13SEXIES, A13SEPTIES, A20, A21, A25QUATER, A26QUATER, A38;

        @Override
        public String code() {
            return name().substring(1).toLowerCase(Locale.ROOT);
        }
    }

    public enum Channel implements Code {
        REGISTERED_POST, COMMUNE, POLICE, RECEPTION, IMMIGRATION_OFFICE
    }

    public enum TermReason implements Code {
        ABSCONDING_RISK,
        PREVENTIVE_MEASURE_BROKEN,
        PUBLIC_ORDER,
        FRAUD,
        REPEAT_ASYLUM_REQUEST,
        NO_LONG_STAY_RIGHT,
        EARLIER_ORDER_NOT_FOLLOWED
    }

    public enum Lodging implements Code {
        HOME, RECEPTION, RETURN_HOUSE, OPEN_RETURN_PLACE, DETAINED, NONE
    }

    public enum HouseholdKind implements Code { SINGLE, FAMILY_WITH_MINORS, UNACCOMPANIED_MINOR }

    public enum Delivery implements Code { PROVEN, UNPROVEN, FAILED }

    public enum Justification implements Code {
        MEDICAL,
        CHILDCARE,
        TRANSPORT_STRIKE,
        DETAINED,
        NOT_DELIVERED,
        WRONG_LANGUAGE,
        LEGAL_APPOINTMENT,
        FORCE_MAJEURE,
        OTHER_ACCEPTED,
        NONE,
        UNKNOWN;

        @Override
        public String code() {
            return name();
        }
    }

    public enum Review implements Code { NONE, PENDING, ACCEPTED, REJECTED }

    public enum CoachRole implements Code { INDIVIDUAL, FAMILY, OPEN_RETURN_PLACE, RETURN_HOUSE }

    public enum Conclusion implements Code {
        RESIDENCE_PROSPECT, VOLUNTARY_RETURN_ACCEPTED, VOLUNTARY_RETURN_REFUSED, UNDECIDED
    }

    public enum Cooperation implements Code { COOPERATING, PARTIAL, NOT_COOPERATING, NOT_ASSESSED }

    public enum CircumstanceState implements Code { BEGINS, ENDS }

    public enum Track implements Code {
        INDIVIDUAL, FAMILY, RETURN_HOUSE, OPEN_RETURN_PLACE, DETAINED, TRIAGE
    }

    public enum Action implements Code {
        CHECK_DELIVERY, REINVITE, OUTREACH, CONTACT_REVIEW, HUMAN_REVIEW, ADDRESS_CHECK_REFERRAL
    }

    public enum GuardState implements Code { CLEAR, ACTIVE, UNKNOWN, WAIVED }

    public enum WithdrawalReason implements Code {
        NO_LONGER_HOLDS, SUPERSEDED, GUARD, ORDER_SUPERSEDED, REROUTED, POLICY_CHANGED
    }
}
