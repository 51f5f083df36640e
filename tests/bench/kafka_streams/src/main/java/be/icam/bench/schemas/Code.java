package be.icam.bench.schemas;

import java.util.Locale;

/** A value of a closed code list. Its code, not its name, is what stands in messages and texts. */
public interface Code {
    String name();

    default String code() {
        return name().toLowerCase(Locale.ROOT);
    }
}
