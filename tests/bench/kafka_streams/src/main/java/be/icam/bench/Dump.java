package be.icam.bench;

import be.icam.bench.domain.CaseState;
import be.icam.bench.schemas.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/** What came of all cases, as the benchmark compares it, and what it took. */
final class Dump {
    private final List<Object[]> projections = new ArrayList<>();
    private final List<Object[]> escalations = new ArrayList<>();
    private long events;

    private Dump() {}

    /** Reads every case in the stores of this process. */
    static Dump of(KafkaStreams streams) {
        Dump dump = new Dump();
        ReadOnlyKeyValueStore<String, CaseState> cases =
                streams.store(StoreQueryParameters.fromNameAndType(
                        Caseworker.STORE, QueryableStoreTypes.keyValueStore()));
        try (KeyValueIterator<String, CaseState> all = cases.all()) {
            while (all.hasNext()) {
                KeyValue<String, CaseState> one = all.next();
                dump.add(one.key, one.value);
            }
        }
        return dump;
    }

    void write(Path file, Progress progress) throws IOException {
        Comparator<Object[]> byName = Comparator.comparing(row -> row[0].toString());
        projections.sort(byName);
        escalations.sort(byName);
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("events", events);
        told.put("seconds", progress.seconds());
        told.put("cpu_seconds", progress.cpuSeconds());
        told.put("rss_kib", peakMemory());
        told.put("projections", projections);
        told.put("escalations", escalations);
        Files.write(file, Json.WIRE.writeValueAsBytes(told));
    }

    private void add(String caseId, CaseState state) {
        var projection = state.projection();
        events += state.facts().events();
        projections.add(new Object[] {
            caseId,
            state.facts().digest(),
            projection.status(),
            projection.officeId(),
            projection.track(),
            projection.level()
        });
        state.announced().standing().forEach((id, standing) -> escalations.add(
                new Object[] {id, standing.ruleId(), standing.officeId()}));
    }

    /** The most resident memory that this process ever had, in KiB, from the kernel's own books. */
    private static long peakMemory() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(0);
    }
}
