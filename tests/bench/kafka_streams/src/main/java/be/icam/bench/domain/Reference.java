package be.icam.bench.domain;

import be.icam.bench.schemas.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.UUID;

/** Everything besides the case and the clock that a decision depends on, as export.py wrote it. */
public record Reference(UUID namespace, Rules rules, Directory directory, Clocks clocks) {
    private record Calendar(String zone, long[] workingDays) {}

    private record Exported(
            UUID namespace, Rules.Table policy, Directory.Table directory, Calendar calendar) {}

    public static Reference load(Path file) throws IOException {
        Exported found = Json.WIRE.readValue(Files.readAllBytes(file), Exported.class);
        ZoneId zone = ZoneId.of(found.calendar.zone);
        return new Reference(
                found.namespace,
                new Rules(found.policy),
                new Directory(found.directory),
                new Clocks(zone, found.calendar.workingDays));
    }
}
