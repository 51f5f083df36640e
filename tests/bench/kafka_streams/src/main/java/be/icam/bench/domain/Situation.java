package be.icam.bench.domain;

import be.icam.bench.schemas.Code;
import be.icam.bench.schemas.Codes.Delivery;
import be.icam.bench.schemas.Codes.Guard;
import be.icam.bench.schemas.Codes.Justification;
import be.icam.bench.schemas.Codes.Review;
import be.icam.bench.schemas.Event.Appointment;
import be.icam.bench.schemas.Event.AppointmentMissed;
import be.icam.bench.schemas.Event.CircumstanceChanged;
import be.icam.bench.schemas.Event.InterviewCompleted;
import be.icam.bench.schemas.Event.OqtIssued;
import be.icam.bench.schemas.Ids;
import be.icam.bench.schemas.Times;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The case under its current order, whatever the time: streams/domain/situation.py. All lists
 * ascend by time, then by reference; {@code missed} are the misses since the count last started.
 * {@code lastAttempt} is null while no appointment was held or missed.
 */
record Situation(
        OqtIssued order,
        Fact orderFact,
        List<Held> held,
        List<Missed> missed,
        List<Missed> counted,
        Map<Guard, List<CircumstanceChanged>> circumstances,
        OffsetDateTime lastContact,
        Fact lastContactFact,
        OffsetDateTime lastAttempt) {

    /** How a missed appointment is read. */
    enum Miss implements Code { COUNTED, UNDELIVERED, WRONG_LANGUAGE, PENDING, JUSTIFIED }

    record Held(Fact fact, InterviewCompleted event) {}

    record Missed(Fact fact, AppointmentMissed event, Miss reading) {}

    private record Order(Fact fact, OqtIssued event) {}

    private record Contact(OffsetDateTime at, Fact fact) {}

    private static final Comparator<Order> NOTIFIED =
            Comparator.comparing((Order order) -> order.event.notifiedAt(), Times.LINE)
                    .thenComparing(order -> order.event.orderId());
    private static final Comparator<Held> BY_HOLDING =
            Comparator.comparing((Held held) -> held.event.heldAt(), Times.LINE)
                    .thenComparing(held -> held.event.interviewId());
    private static final Comparator<Missed> BY_SCHEDULE =
            Comparator.comparing((Missed missed) -> missed.event.scheduledAt(), Times.LINE)
                    .thenComparing(missed -> missed.event.appointmentId());
    private static final Comparator<Contact> LATEST =
            Comparator.comparing(Contact::at, Times.LINE)
                    .thenComparing(contact -> contact.fact.eventId(), Ids.ORDER);

    /** Returns the situation under the order notified last; null while no order is known. */
    static Situation read(Case known, boolean interviewRestartsCount) {
        Order current = null;
        List<Held> interviews = new ArrayList<>();
        List<Fact> misses = new ArrayList<>();
        Map<Guard, List<CircumstanceChanged>> circumstances = new EnumMap<>(Guard.class);
        for (Fact fact : known.facts()) {
            if (fact.event() instanceof OqtIssued order) {
                Order other = new Order(fact, order);
                current = current == null || NOTIFIED.compare(other, current) > 0 ? other : current;
            } else if (fact.event() instanceof InterviewCompleted interview) {
                interviews.add(new Held(fact, interview));
            } else if (fact.event() instanceof AppointmentMissed) {
                misses.add(fact);
            } else if (fact.event() instanceof CircumstanceChanged changed) {
                circumstances
                        .computeIfAbsent(changed.circumstance(), guard -> new ArrayList<>())
                        .add(changed);
            }
        }
        if (current == null) {
            return null;
        }
        OqtIssued order = current.event;
        List<Held> held = interviews.stream()
                .filter(item -> item.event.orderId().equals(order.orderId()))
                .sorted(BY_HOLDING)
                .toList();
        List<Missed> allMissed = missed(misses, held, order);
        OffsetDateTime restart =
                held.isEmpty() || !interviewRestartsCount ? null : last(held).event.heldAt();
        List<Missed> missed = restart == null
                ? allMissed
                : allMissed.stream()
                        .filter(item -> item.event.scheduledAt().isAfter(restart))
                        .toList();
        Contact contact = lastContact(current, held, allMissed);
        return new Situation(
                order,
                current.fact,
                held,
                missed,
                missed.stream().filter(item -> item.reading == Miss.COUNTED).toList(),
                circumstances,
                contact.at,
                contact.fact,
                Times.latest(Stream.concat(
                        held.stream().map(item -> item.event.heldAt()),
                        allMissed.stream().map(item -> item.event.scheduledAt()))));
    }

    Held lastHeld() {
        return held.isEmpty() ? null : last(held);
    }

    Missed lastMissed() {
        return missed.isEmpty() ? null : last(missed);
    }

    /** An interview held under the same appointment shows that it was not missed. */
    private static List<Missed> missed(List<Fact> misses, List<Held> held, OqtIssued order) {
        Set<String> attended =
                held.stream().map(item -> item.event.appointmentId()).collect(Collectors.toSet());
        return misses.stream()
                .map(fact -> new Missed(
                        fact,
                        (AppointmentMissed) fact.event(),
                        reading((AppointmentMissed) fact.event(), order)))
                .filter(item -> item.event.orderId().equals(order.orderId()))
                .filter(item -> !attended.contains(item.event.appointmentId()))
                .sorted(BY_SCHEDULE)
                .toList();
    }

    private static Contact lastContact(Order order, List<Held> held, List<Missed> missed) {
        Contact latest = new Contact(order.event.notifiedAt(), order.fact);
        latest = later(latest, order.event.firstAppointment(), order.fact);
        for (Held item : held) {
            latest = later(latest, new Contact(item.event.heldAt(), item.fact));
            latest = later(latest, item.event.nextAppointment(), item.fact);
        }
        for (Missed item : missed) {
            latest = later(latest, new Contact(item.event.scheduledAt(), item.fact));
        }
        return latest;
    }

    private static Contact later(Contact latest, Appointment planned, Fact fact) {
        return planned == null ? latest : later(latest, new Contact(planned.at(), fact));
    }

    private static Contact later(Contact latest, Contact other) {
        return LATEST.compare(other, latest) > 0 ? other : latest;
    }

    private static Miss reading(AppointmentMissed event, OqtIssued order) {
        if (event.review() == Review.ACCEPTED) {
            return Miss.JUSTIFIED;
        }
        if (event.invitation().delivery() != Delivery.PROVEN) {
            return Miss.UNDELIVERED;
        }
        if (event.invitation().language() != order.language()) {
            return Miss.WRONG_LANGUAGE;
        }
        if (event.review() == Review.REJECTED) {
            return Miss.COUNTED;
        }
        boolean unasked = event.justification() != Justification.NONE;
        return event.review() == Review.PENDING || unasked ? Miss.PENDING : Miss.COUNTED;
    }

    private static <T> T last(List<T> items) {
        return items.get(items.size() - 1);
    }
}
