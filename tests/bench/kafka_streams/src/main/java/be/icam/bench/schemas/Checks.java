package be.icam.bench.schemas;

import java.util.regex.Pattern;

/** The bounded building blocks of schemas/types.py. */
final class Checks {
    private static final Pattern REFERENCE = Pattern.compile("[A-Za-z][A-Za-z0-9_-]{3,63}");
    private static final Pattern CASE_ID = Pattern.compile("[A-Za-z][A-Za-z0-9_-]{7,63}");
    private static final Pattern OFFICE_ID = Pattern.compile("[a-z][a-z0-9-]{2,31}");
    private static final Pattern POSTCODE = Pattern.compile("[1-9][0-9]{3}");
    private static final Pattern LANGUAGE_TAG = Pattern.compile("[a-z]{2,3}");
    private static final Pattern SOURCE = Pattern.compile("[A-Za-z0-9:/._~#?=&%-]{1,200}");

    private Checks() {}

    static void reference(String name, String value) {
        matches(REFERENCE, name, value);
    }

    static void caseId(String name, String value) {
        matches(CASE_ID, name, value);
    }

    static void officeId(String name, String value) {
        matches(OFFICE_ID, name, value);
    }

    static void postcode(String name, String value) {
        matches(POSTCODE, name, value);
    }

    static void languageTag(String name, String value) {
        matches(LANGUAGE_TAG, name, value);
    }

    static void source(String name, String value) {
        matches(SOURCE, name, value);
    }

    static void between(String name, int value, int first, int last) {
        that(first <= value && value <= last, name + ": out of bounds");
    }

    static void present(String name, Object... values) {
        for (Object value : values) {
            that(value != null, name + ": a field is missing");
        }
    }

    static void that(boolean holds, String otherwise) {
        if (!holds) {
            throw new Invalid(otherwise);
        }
    }

    private static void matches(Pattern pattern, String name, String value) {
        that(value != null && pattern.matcher(value).matches(), name + ": missing or malformed");
    }
}
