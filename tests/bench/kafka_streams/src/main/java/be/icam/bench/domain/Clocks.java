package be.icam.bench.domain;

import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.util.Arrays;

/** Working days and terms, in local time. {@code workingDays} are days since 1970, ascending. */
public record Clocks(ZoneId zone, long[] workingDays) {
    OffsetDateTime local(OffsetDateTime instant) {
        return instant.atZoneSameInstant(zone).toOffsetDateTime();
    }

    LocalDate localDate(OffsetDateTime instant) {
        return instant.atZoneSameInstant(zone).toLocalDate();
    }

    OffsetDateTime startOf(LocalDate day) {
        return day.atStartOfDay(zone).toOffsetDateTime();
    }

    OffsetDateTime endOf(LocalDate day) {
        return startOf(day.plusDays(1));
    }

    LocalDate thisOrNextWorking(LocalDate day) {
        return LocalDate.ofEpochDay(workingDays[firstFrom(day.toEpochDay())]);
    }

    /** The end of the {@code count}-th working day after the day of an instant. */
    OffsetDateTime afterWorkingDays(OffsetDateTime instant, int count) {
        LocalDate start = localDate(instant);
        if (count == 0) {
            return endOf(start);
        }
        int at = firstFrom(start.toEpochDay() + 1) + count - 1;
        return endOf(LocalDate.ofEpochDay(workingDays[at]));
    }

    /** When the term for voluntary departure has run out; a term of 0 days has at once. */
    OffsetDateTime departureTermEnd(OffsetDateTime notifiedAt, int days) {
        return days == 0 ? notifiedAt : endOf(localDate(notifiedAt).plusDays(days));
    }

    private int firstFrom(long day) {
        int at = Arrays.binarySearch(workingDays, day);
        return at < 0 ? -at - 1 : at;
    }
}
