package be.icam.bench;

import be.icam.bench.schemas.Times;
import java.nio.file.Path;
import java.time.OffsetDateTime;

/** The environment, as the benchmark gives it. */
record Settings(
        String servers,
        String group,
        OffsetDateTime now,
        Path reference,
        Path state,
        long events,
        Path dump) {

    static Settings read() {
        return new Settings(
                variable("ICAM_KAFKA__BOOTSTRAP_SERVERS"),
                variable("ICAM_KAFKA__GROUP"),
                Times.read(variable("ICAM_BENCH_NOW")),
                Path.of(variable("ICAM_BENCH_REFERENCE")),
                Path.of(variable("ICAM_BENCH_STATE")),
                Long.parseLong(variable("ICAM_BENCH_EVENTS")),
                Path.of(variable("ICAM_BENCH_DUMP")));
    }

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("the environment lacks " + name);
        }
        return value;
    }
}
