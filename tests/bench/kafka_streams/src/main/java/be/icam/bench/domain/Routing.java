package be.icam.bench.domain;

import be.icam.bench.domain.Directory.Office;
import be.icam.bench.domain.Directory.Team;
import be.icam.bench.domain.Directory.Territory;
import be.icam.bench.schemas.Codes.HouseholdKind;
import be.icam.bench.schemas.Codes.Language;
import be.icam.bench.schemas.Codes.Track;
import be.icam.bench.schemas.Event.OqtIssued;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Set;

/** Which office and team follow a case, with the rule that decided: streams/domain/routing.py. */
final class Routing {
    /** Where a case goes and why; {@code until} is when time alone may change it, or null. */
    record Route(
            String officeId,
            Track track,
            Language language,
            String interpreterLanguage,
            String ruleId,
            String reason,
            OffsetDateTime asOf,
            OffsetDateTime until) {}

    /** {@code office} is null where none was found. */
    private record Place(Office office, String ruleId, String reason) {}

    private static final String NO_OFFICE = "no_office_open";

    private Routing() {}

    static Route route(OqtIssued order, Directory directory, Clocks clocks, OffsetDateTime now) {
        Team team = directory.table.teams().get(order.lodging());
        Language language = language(order, directory);
        if (team != null) {
            String lodging = order.lodging().code();
            return new Route(
                    team.officeId(),
                    team.track(),
                    language,
                    order.interpreterLanguage(),
                    lodging.replace('_', '-'),
                    "lodging " + lodging,
                    order.notifiedAt(),
                    null);
        }
        LocalDate day = clocks.localDate(order.notifiedAt());
        LocalDate today = clocks.localDate(now);
        OffsetDateTime asOf = order.notifiedAt();
        Place place = locate(order, directory, day);
        LocalDate until = place.office == null ? directory.nextChange(day) : place.office.until();
        boolean over = until != null && !until.isAfter(today);
        if (today.isAfter(day) && (over || place.reason.startsWith(NO_OFFICE))) {
            String was = place.office == null
                    ? "none was open when notified"
                    : place.office.id() + " has closed";
            Place again = locate(order, directory, today);
            if (again.office != null || place.office != null) {
                place = new Place(again.office, again.ruleId, again.reason + "; " + was);
                asOf = clocks.startOf(today);
            }
            until = directory.nextChange(today);
        }
        OffsetDateTime lookAgain = until == null ? null : clocks.startOf(until);
        if (place.office == null) {
            return new Route(
                    directory.table.triageOffice(),
                    Track.TRIAGE,
                    language,
                    order.interpreterLanguage(),
                    place.ruleId,
                    place.reason,
                    asOf,
                    lookAgain);
        }
        boolean family = order.household().kind() == HouseholdKind.FAMILY_WITH_MINORS;
        return new Route(
                place.office.id(),
                family ? Track.FAMILY : Track.INDIVIDUAL,
                language,
                order.interpreterLanguage(),
                family ? "family-coach" : place.ruleId,
                family ? place.ruleId + ": " + place.reason : place.reason,
                asOf,
                lookAgain);
    }

    private static Place locate(OqtIssued order, Directory directory, LocalDate day) {
        boolean residence = order.residencePostcode() != null;
        String code = postcode(order);
        if (code == null) {
            return new Place(null, "triage", "no_postcode");
        }
        String seen = (residence ? "residence " : "interception ") + code;
        int postcode = Integer.parseInt(code);
        if (directory.table.germanPostcodes().contains(postcode)) {
            Office office = directory.office(directory.table.germanOffice());
            if (office.holds(day)) {
                return new Place(office, "german-speaking", seen + ", German-speaking");
            }
        }
        String province = directory.provinceOf(postcode, day);
        if (province == null) {
            return new Place(null, "triage", "postcode_unknown: " + seen);
        }
        String where = seen + " in " + province;
        String kind = residence ? "" : "interception-";
        Office own = directory.openOffice(directory.table.coverage(), province, day);
        if (own != null) {
            return new Place(own, kind + "province", where);
        }
        Office other = directory.openOffice(directory.table.fallback(), province, day);
        if (other != null) {
            return new Place(other, kind + "fallback", where);
        }
        return new Place(null, "triage", NO_OFFICE + ": " + where);
    }

    private static Language language(OqtIssued order, Directory directory) {
        String code = postcode(order);
        if (code == null) {
            return order.language();
        }
        int postcode = Integer.parseInt(code);
        Set<Language> honoured = directory.facilities(postcode);
        if (directory.table.germanPostcodes().contains(postcode)) {
            return honoured.contains(order.language()) ? order.language() : Language.DE;
        }
        Territory territory = directory.territoryOf(postcode);
        boolean kept = territory == null
                || honoured.contains(order.language())
                || territory.honours().contains(order.language());
        return kept ? order.language() : territory.language();
    }

    private static String postcode(OqtIssued order) {
        return order.residencePostcode() != null
                ? order.residencePostcode()
                : order.interceptionPostcode();
    }
}
