package be.icam.bench;

import be.icam.bench.domain.CaseState;
import be.icam.bench.domain.CaseState.Step;
import be.icam.bench.domain.Decide.Message;
import be.icam.bench.domain.Fact;
import be.icam.bench.domain.Reference;
import be.icam.bench.schemas.Codec;
import be.icam.bench.schemas.Codec.Decoded;
import be.icam.bench.schemas.Json;
import be.icam.bench.schemas.Times;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * The same work without Kafka, in the order given: reads records, a JSON line each, and writes
 * every message that follows, so that compare.py can hold them against Python's, byte for byte.
 */
public final class Replay {
    /** A record, in or out; {@code value} is its bytes as UTF-8. */
    private record Line(String topic, String key, String value, List<List<String>> headers) {
        Headers kafkaHeaders() {
            Headers found = new RecordHeaders();
            headers.forEach(header ->
                    found.add(header.get(0), header.get(1).getBytes(StandardCharsets.UTF_8)));
            return found;
        }

        static Line of(String caseId, Message message, OffsetDateTime now) {
            Headers headers = new RecordHeaders();
            Codec.describe(headers, message.id(), message.outcome(), caseId, now);
            List<List<String>> texts = new ArrayList<>();
            for (Header header : headers) {
                texts.add(List.of(
                        header.key(), new String(header.value(), StandardCharsets.UTF_8)));
            }
            String body = new String(Codec.encode(message.outcome()), StandardCharsets.UTF_8);
            return new Line(message.outcome().topic(), caseId, body, texts);
        }
    }

    private Replay() {}

    /** {@code REFERENCE.json NOW}; records on standard input, messages on standard output. */
    public static void main(String[] arguments) throws IOException {
        Reference reference = Reference.load(Path.of(arguments[0]));
        OffsetDateTime now = Times.read(arguments[1]);
        Map<String, byte[]> cases = new HashMap<>();
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String text = in.readLine(); text != null; text = in.readLine()) {
            Line line = Json.WIRE.readValue(text, Line.class);
            byte[] value = line.value.getBytes(StandardCharsets.UTF_8);
            Decoded event = Codec.decode(line.topic, line.key, value, line.kafkaHeaders());
            byte[] kept = cases.get(event.caseId());
            CaseState before =
                    kept == null ? CaseState.NEW : Json.STATE.readValue(kept, CaseState.class);
            if (before.facts().knows(event.eventId())) {
                continue;
            }
            Fact fact = new Fact(event.time(), event.eventId(), event.event());
            Step step = before.take(event.caseId(), fact, reference, now);
            cases.put(event.caseId(), Json.STATE.writeValueAsBytes(step.state()));
            for (Message message : step.messages()) {
                out.println(Json.WIRE.writeValueAsString(Line.of(event.caseId(), message, now)));
            }
        }
        out.flush();
    }
}
