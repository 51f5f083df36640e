package be.icam.bench.domain;

import be.icam.bench.schemas.Codes.Language;
import be.icam.bench.schemas.Codes.Lodging;
import be.icam.bench.schemas.Codes.Track;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Offices, territories and language law as dated data. */
public final class Directory {
    /** A line that holds from {@code since} to the day before {@code until}; null is no bound. */
    interface Dated {
        LocalDate since();

        LocalDate until();

        default boolean holds(LocalDate day) {
            return (since() == null || !day.isBefore(since()))
                    && (until() == null || day.isBefore(until()));
        }
    }

    public record Office(String id, LocalDate since, LocalDate until) implements Dated {}

    public record Team(String officeId, Track track) {}

    public record Territory(
            String province, List<int[]> ranges, Language language, Set<Language> honours) {
        boolean has(int postcode) {
            return ranges.stream().anyMatch(range -> range[0] <= postcode && postcode <= range[1]);
        }
    }

    public record Transfer(
            Set<Integer> postcodes, String province, LocalDate since, LocalDate until)
            implements Dated {}

    public record Assignment(String province, String officeId, LocalDate since, LocalDate until)
            implements Dated {}

    /** The directory as it was exported. */
    public record Table(
            String version,
            String digest,
            List<Office> offices,
            Map<Lodging, Team> teams,
            String triageOffice,
            List<Territory> territories,
            List<Transfer> transfers,
            List<Assignment> coverage,
            List<Assignment> fallback,
            String germanOffice,
            Set<Integer> germanPostcodes,
            Map<Integer, Set<Language>> facilities) {}

    private static final int POSTCODES = 10_000;

    final Table table;
    private final Map<String, Office> offices;
    private final Territory[] territoryOf = new Territory[POSTCODES];
    private final NavigableSet<LocalDate> edges;

    public Directory(Table table) {
        this.table = table;
        offices = table.offices().stream()
                .collect(Collectors.toMap(Office::id, Function.identity()));
        Arrays.setAll(territoryOf, postcode -> table.territories().stream()
                .filter(territory -> territory.has(postcode))
                .findFirst()
                .orElse(null));
        edges = Stream.of(table.offices(), table.coverage(), table.fallback(), table.transfers())
                .<Dated>flatMap(List::stream)
                .flatMap(dated -> Stream.of(dated.since(), dated.until()))
                .filter(edge -> edge != null)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    Office office(String id) {
        return offices.get(id);
    }

    /** The postal territory of a postcode, before any transfer; null outside every range. */
    Territory territoryOf(int postcode) {
        return territoryOf[postcode];
    }

    /** The province of a postcode on a day; null outside every range. */
    String provinceOf(int postcode, LocalDate day) {
        for (Transfer transfer : table.transfers()) {
            if (transfer.postcodes().contains(postcode) && transfer.holds(day)) {
                return transfer.province();
            }
        }
        Territory territory = territoryOf(postcode);
        return territory == null ? null : territory.province();
    }

    /** The office that covers a province by these lines and is open on a day; null when none. */
    Office openOffice(List<Assignment> lines, String province, LocalDate day) {
        for (Assignment line : lines) {
            if (line.province().equals(province) && line.holds(day)) {
                Office office = office(line.officeId());
                if (office.holds(day)) {
                    return office;
                }
            }
        }
        return null;
    }

    /** The first day after {@code day} on which a line begins or ceases to hold; null when none. */
    LocalDate nextChange(LocalDate day) {
        return edges.higher(day);
    }

    Set<Language> facilities(int postcode) {
        return table.facilities().getOrDefault(postcode, Collections.emptySet());
    }
}
