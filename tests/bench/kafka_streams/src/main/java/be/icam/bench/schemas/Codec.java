package be.icam.bench.schemas;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/** From a Kafka record to a typed event, and from an outcome to a Kafka record. */
public final class Codec {
    private static final int MAX_VALUE_BYTES = 64 * 1024;
    private static final String JSON = "application/json";
    private static final String STRUCTURED = "application/cloudevents+json";
    private static final String SOURCE = "/icam/streams";
    private static final Duration CLOCK_SKEW = Duration.ofHours(1);

    private Codec() {}

    /** One event of a case; its time is in UTC. */
    public record Decoded(UUID eventId, String caseId, OffsetDateTime time, Event event) {}

    /** Returns the event in a record, in either content mode; throws {@link Invalid} otherwise. */
    public static Decoded decode(String topic, String key, byte[] value, Headers headers) {
        Checks.that(value != null && value.length <= MAX_VALUE_BYTES, "no value, or a large one");
        try {
            Map<String, String> attributes = attributes(headers);
            String contentType = attributes.getOrDefault("content-type", JSON);
            if (contentType.equals(STRUCTURED)) {
                JsonNode body = Json.WIRE.readTree(value);
                Event event = Json.WIRE.treeToValue(body.required("data"), model(topic));
                return decoded(topic, key, attributes(body), event);
            }
            Checks.that(contentType.equals(JSON), "content-type");
            return decoded(topic, key, attributes, Json.WIRE.readValue(value, model(topic)));
        } catch (IOException | DateTimeException | IllegalArgumentException error) {
            throw new Invalid("a record of " + topic + " is no event", error);
        }
    }

    /** Adds the attributes of an outcome, in binary mode. */
    public static void describe(
            Headers headers, UUID messageId, Outcome outcome, String caseId, OffsetDateTime time) {
        add(headers, "ce_specversion", "1.0");
        add(headers, "ce_id", messageId.toString());
        add(headers, "ce_source", SOURCE);
        add(headers, "ce_type", outcome.type());
        add(headers, "ce_time", Times.iso(time));
        add(headers, "ce_subject", caseId);
        add(headers, "content-type", JSON);
    }

    public static byte[] encode(Outcome outcome) {
        try {
            return Json.WIRE.writeValueAsBytes(outcome);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Decoded decoded(
            String topic, String key, Map<String, String> attributes, Event event) {
        String subject = attributes.get("subject");
        Checks.that("1.0".equals(attributes.get("specversion")), "specversion");
        Checks.that(topic.equals(attributes.get("type")), "the type is not the topic");
        Checks.that(JSON.equals(attributes.getOrDefault("datacontenttype", JSON)), "data type");
        Checks.source("source", attributes.get("source"));
        Checks.caseId("subject", subject);
        Checks.that(subject.equals(key), "the key is not the subject");
        Checks.present("attributes", attributes.get("id"), attributes.get("time"));
        event.check();
        OffsetDateTime time =
                Times.read(attributes.get("time")).withOffsetSameInstant(ZoneOffset.UTC);
        Checks.that(
                event.happened() == null || !event.happened().isAfter(time.plus(CLOCK_SKEW)),
                "it was reported before it happened");
        return new Decoded(UUID.fromString(attributes.get("id")), subject, time, event);
    }

    private static Map<String, String> attributes(Headers headers) {
        Map<String, String> found = new HashMap<>();
        for (Header header : headers) {
            String name = header.key();
            if (name.startsWith("ce_")) {
                name = name.substring(3);
            } else if (!name.equals("content-type")) {
                continue;
            }
            String text = new String(header.value(), StandardCharsets.UTF_8);
            Checks.that(found.put(name, text) == null, "an attribute header is repeated");
        }
        return found;
    }

    private static Map<String, String> attributes(JsonNode body) {
        Map<String, String> found = new HashMap<>();
        body.properties().stream()
                .filter(field -> field.getValue().isTextual())
                .forEach(field -> found.put(field.getKey(), field.getValue().textValue()));
        return found;
    }

    private static Class<? extends Event> model(String topic) {
        Class<? extends Event> model = Event.TYPES.get(topic);
        Checks.that(model != null, "not an input topic");
        return model;
    }

    private static void add(Headers headers, String name, String value) {
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
