package be.icam.bench;

import be.icam.bench.domain.CaseState;
import be.icam.bench.schemas.Event;
import be.icam.bench.schemas.Json;
import be.icam.bench.schemas.Outcome;
import java.io.IOException;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.state.Stores;

/** How records flow, input topics to casework to output topics, and the configuration. */
final class Flow {
    private static final String EVENTS = "events";
    private static final String CASEWORK = "casework";
    private static final int THREADS = 2;
    private static final long CACHE_BYTES = 64L << 20;

    private Flow() {}

    static Topology topology(ProcessorSupplier<String, byte[], String, byte[]> casework) {
        Topology topology = new Topology();
        topology.addSource(
                EVENTS,
                new StringDeserializer(),
                new ByteArrayDeserializer(),
                Event.TYPES.keySet().toArray(String[]::new));
        topology.addProcessor(CASEWORK, casework, EVENTS);
        topology.addStateStore(
                Stores.keyValueStoreBuilder(
                                Stores.persistentKeyValueStore(Caseworker.STORE),
                                Serdes.String(),
                                states())
                        .withCachingEnabled(),
                CASEWORK);
        for (String topic : new String[] {Outcome.CASE_ROUTED_TOPIC, Outcome.ESCALATION_TOPIC}) {
            topology.addSink(
                    topic, topic, new StringSerializer(), new ByteArraySerializer(), CASEWORK);
        }
        return topology;
    }

    /** Exactly-once with its default commit interval of 100 ms; the cache spares the changelog. */
    static Properties configuration(Settings settings) {
        Properties found = new Properties();
        found.put(StreamsConfig.APPLICATION_ID_CONFIG, settings.group());
        found.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, settings.servers());
        found.put(StreamsConfig.STATE_DIR_CONFIG, settings.state().toString());
        found.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        found.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
        found.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES);
        return found;
    }

    private static Serde<CaseState> states() {
        return Serdes.serdeFrom(Flow::write, Flow::read);
    }

    private static byte[] write(String topic, CaseState state) {
        try {
            return state == null ? null : Json.STATE.writeValueAsBytes(state);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static CaseState read(String topic, byte[] bytes) {
        try {
            return bytes == null ? null : Json.STATE.readValue(bytes, CaseState.class);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
