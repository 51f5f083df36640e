package be.icam.bench.schemas;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.cfg.MapperBuilder;
import com.fasterxml.jackson.databind.cfg.MapperConfig;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.fasterxml.jackson.dataformat.smile.SmileFactory;
import com.fasterxml.jackson.dataformat.smile.SmileGenerator;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import java.io.IOException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;

/** Records of ours as JSON on the wire, and as compact Smile in the state store. */
public final class Json {
    public static final ObjectMapper WIRE = mapper(
            JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION),
            new TextTimes());

    public static final ObjectMapper STATE = mapper(
            SmileMapper.builder(SmileFactory.builder()
                            .disable(SmileGenerator.Feature.ENCODE_BINARY_AS_7BIT)
                            .build())
                    .serializationInclusion(JsonInclude.Include.NON_NULL),
            new PackedTimes());

    private Json() {}

    private static ObjectMapper mapper(MapperBuilder<?, ?> builder, SimpleModule times) {
        return builder.propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .annotationIntrospector(new CodesOfEnums())
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                .enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .addModule(times)
                .build();
    }

    private static final class CodesOfEnums extends JacksonAnnotationIntrospector {
        private static final long serialVersionUID = 1;

        @Override
        public String[] findEnumValues(
                MapperConfig<?> config, AnnotatedClass type, Enum<?>[] values, String[] names) {
            for (int at = 0; at < values.length; at++) {
                names[at] = values[at] instanceof Code code ? code.code() : values[at].name();
            }
            return names;
        }
    }

    /** Instants and days as RFC 3339 text. */
    private static final class TextTimes extends SimpleModule {
        private static final long serialVersionUID = 1;

        TextTimes() {
            addSerializer(new StdSerializer<>(OffsetDateTime.class) {
                private static final long serialVersionUID = 1;

                @Override
                public void serialize(
                        OffsetDateTime time, JsonGenerator out, SerializerProvider provider)
                        throws IOException {
                    out.writeString(Times.rfc3339(time));
                }
            });
            addDeserializer(OffsetDateTime.class, new StdDeserializer<>(OffsetDateTime.class) {
                private static final long serialVersionUID = 1;

                @Override
                public OffsetDateTime deserialize(JsonParser in, DeserializationContext context)
                        throws IOException {
                    return Times.read(in.getText());
                }
            });
            addDeserializer(LocalDate.class, new StdDeserializer<>(LocalDate.class) {
                private static final long serialVersionUID = 1;

                @Override
                public LocalDate deserialize(JsonParser in, DeserializationContext context)
                        throws IOException {
                    return LocalDate.parse(in.getText());
                }
            });
        }
    }

    /** Instants as two numbers: microseconds since 1970, and the offset in seconds. */
    private static final class PackedTimes extends SimpleModule {
        private static final long serialVersionUID = 1;

        PackedTimes() {
            addSerializer(new StdSerializer<>(OffsetDateTime.class) {
                private static final long serialVersionUID = 1;

                @Override
                public void serialize(
                        OffsetDateTime time, JsonGenerator out, SerializerProvider provider)
                        throws IOException {
                    out.writeStartArray();
                    out.writeNumber(ChronoUnit.MICROS.between(Instant.EPOCH, time.toInstant()));
                    out.writeNumber(time.getOffset().getTotalSeconds());
                    out.writeEndArray();
                }
            });
            addDeserializer(OffsetDateTime.class, new StdDeserializer<>(OffsetDateTime.class) {
                private static final long serialVersionUID = 1;

                @Override
                public OffsetDateTime deserialize(JsonParser in, DeserializationContext context)
                        throws IOException {
                    Instant instant = Instant.EPOCH.plus(in.nextLongValue(0), ChronoUnit.MICROS);
                    ZoneOffset offset = ZoneOffset.ofTotalSeconds(in.nextIntValue(0));
                    in.nextToken();
                    return OffsetDateTime.ofInstant(instant, offset);
                }
            });
        }
    }
}
