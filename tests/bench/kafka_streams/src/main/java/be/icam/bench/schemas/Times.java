package be.icam.bench.schemas;

import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.stream.Stream;

/** Instants with an offset, to the microsecond: read and written as the Python side does. */
public final class Times {
    /** By instant alone: the same instant under another offset is equal. */
    public static final Comparator<OffsetDateTime> LINE = OffsetDateTime.timeLineOrder();

    private static final OffsetDateTime FIRST =
            OffsetDateTime.of(1990, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC);
    private static final OffsetDateTime LAST = FIRST.withYear(2100);
    private static final DateTimeFormatter SECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss");
    private static final DateTimeFormatter MICROS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");

    private Times() {}

    /** Reads RFC 3339; refuses what lies outside 1990 to 2100. */
    public static OffsetDateTime read(String text) {
        OffsetDateTime time = OffsetDateTime.parse(text).truncatedTo(ChronoUnit.MICROS);
        if (time.isBefore(FIRST) || time.isAfter(LAST)) {
            throw new Invalid("a time outside 1990 to 2100");
        }
        return time;
    }

    /** As message bodies have it: {@code Z} for UTC. */
    public static String rfc3339(OffsetDateTime time) {
        return local(time) + time.getOffset().getId();
    }

    /** As headers and texts have it: {@code +00:00} for UTC. */
    public static String iso(OffsetDateTime time) {
        ZoneOffset offset = time.getOffset();
        return local(time) + (offset.equals(ZoneOffset.UTC) ? "+00:00" : offset.getId());
    }

    /** The latest, the first named of equal ones; null of none. */
    public static OffsetDateTime latest(Stream<OffsetDateTime> times) {
        return times.reduce((a, b) -> b.isAfter(a) ? b : a).orElse(null);
    }

    /** The earliest, the first named of equal ones; null of none. */
    public static OffsetDateTime earliest(Stream<OffsetDateTime> times) {
        return times.reduce((a, b) -> b.isBefore(a) ? b : a).orElse(null);
    }

    private static String local(OffsetDateTime time) {
        return (time.getNano() == 0 ? SECONDS : MICROS).format(time);
    }
}
