package be.icam.bench;

import be.icam.bench.domain.Reference;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;

/** Works until the wanted events are committed, closes in order, and writes what came of it. */
public final class Main {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private Main() {}

    public static void main(String[] arguments)
            throws IOException, InterruptedException, ExecutionException {
        Settings settings = Settings.read();
        Reference reference = Reference.load(settings.reference());
        Progress progress = new Progress(settings.events());
        AtomicBoolean failed = new AtomicBoolean();
        KafkaStreams streams = new KafkaStreams(
                Flow.topology(() -> new Caseworker(reference, settings.now(), progress)),
                Flow.configuration(settings),
                new Clients(progress));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            failed.set(true);
            return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(PATIENCE)));
        streams.start();
        if (!progress.await(failed)) {
            System.exit(1);
        }
        Dump dump = Dump.of(streams);
        if (!streams.close(PATIENCE)) {
            System.err.println("Kafka Streams did not close in time");
            System.exit(1);
        }
        dump.write(settings.dump(), progress);
        deleteChangelog(settings);
    }

    /** Leaves no topic on the broker, which later contenders use too. */
    private static void deleteChangelog(Settings settings)
            throws InterruptedException, ExecutionException {
        String changelog = settings.group() + "-" + Caseworker.STORE + "-changelog";
        try (Admin admin = Admin.create(
                Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, settings.servers()))) {
            admin.deleteTopics(List.of(changelog)).all().get();
        }
    }
}
