package be.icam.bench;

import be.icam.bench.domain.CaseState;
import be.icam.bench.domain.CaseState.Step;
import be.icam.bench.domain.Decide.Message;
import be.icam.bench.domain.Fact;
import be.icam.bench.domain.Reference;
import be.icam.bench.schemas.Codec;
import be.icam.bench.schemas.Codec.Decoded;
import java.time.OffsetDateTime;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/** The one unit of work: an event is taken into its case, and the difference announced. */
final class Caseworker implements Processor<String, byte[], String, byte[]> {
    static final String STORE = "cases";

    private final Reference reference;
    private final OffsetDateTime now;
    private final Progress progress;
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, CaseState> cases;

    Caseworker(Reference reference, OffsetDateTime now, Progress progress) {
        this.reference = reference;
        this.now = now;
        this.progress = progress;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
        this.context = context;
        cases = context.getStateStore(STORE);
        progress.begin(context.taskId(), this::restored);
    }

    /** A duplicate changes nothing and says nothing. */
    @Override
    public void process(Record<String, byte[]> record) {
        progress.seen();
        String topic = context.recordMetadata().orElseThrow().topic();
        Decoded decoded = Codec.decode(topic, record.key(), record.value(), record.headers());
        CaseState known = cases.get(decoded.caseId());
        CaseState before = known == null ? CaseState.NEW : known;
        if (before.facts().knows(decoded.eventId())) {
            return;
        }
        Fact fact = new Fact(decoded.time(), decoded.eventId(), decoded.event());
        Step step = before.take(decoded.caseId(), fact, reference, now);
        cases.put(decoded.caseId(), step.state());
        for (Message message : step.messages()) {
            announce(decoded.caseId(), message, record.timestamp());
        }
        progress.applied();
    }

    private void announce(String caseId, Message message, long timestamp) {
        RecordHeaders headers = new RecordHeaders();
        Codec.describe(headers, message.id(), message.outcome(), caseId, now);
        byte[] body = Codec.encode(message.outcome());
        context.forward(
                new Record<>(caseId, body, timestamp, headers), message.outcome().topic());
    }

    private long restored() {
        long events = 0;
        try (KeyValueIterator<String, CaseState> all = cases.all()) {
            while (all.hasNext()) {
                events += all.next().value.facts().events();
            }
        }
        return events;
    }
}
