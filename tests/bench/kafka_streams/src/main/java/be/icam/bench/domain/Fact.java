package be.icam.bench.domain;

import be.icam.bench.schemas.Event;
import be.icam.bench.schemas.Event.AppointmentMissed;
import be.icam.bench.schemas.Event.CircumstanceChanged;
import be.icam.bench.schemas.Event.InterviewCompleted;
import be.icam.bench.schemas.Event.OqtIssued;
import be.icam.bench.schemas.Ids;
import be.icam.bench.schemas.Times;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonSubTypes.Type;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.time.OffsetDateTime;
import java.util.UUID;

/** One version of one fact: what was said, when its source said it, and in which event. */
public record Fact(
        OffsetDateTime time,
        UUID eventId,
        @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
                @JsonSubTypes({
                    @Type(value = OqtIssued.class, name = "order"),
                    @Type(value = AppointmentMissed.class, name = "miss"),
                    @Type(value = InterviewCompleted.class, name = "interview"),
                    @Type(value = CircumstanceChanged.class, name = "circumstance")
                })
                Event event) {

    /** Whether this version replaces another; a total order, so no two versions tie. */
    boolean corrects(Fact other) {
        int order = Times.LINE.compare(time, other.time);
        return order > 0 || order == 0 && Ids.ORDER.compare(eventId, other.eventId) > 0;
    }
}
