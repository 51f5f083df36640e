package be.icam.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import org.apache.kafka.streams.processor.TaskId;

/** How many distinct events are committed, and what they took. Shared by threads. */
final class Progress {
    /** Wall clock and CPU time of this process, in nanoseconds. */
    private record Moment(long wall, long cpu) {
        private static final OperatingSystemMXBean SYSTEM =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

        static Moment now() {
            return new Moment(System.nanoTime(), SYSTEM.getProcessCpuTime());
        }
    }

    private final long wanted;
    private final CountDownLatch done = new CountDownLatch(1);
    private final AtomicBoolean begun = new AtomicBoolean();
    private final ThreadLocal<Long> uncommitted = ThreadLocal.withInitial(() -> 0L);
    private final Set<TaskId> tasks = ConcurrentHashMap.newKeySet();
    private Moment first;
    private Moment last;
    private long committed;

    Progress(long wanted) {
        this.wanted = wanted;
    }

    /** Counts what a task has of an earlier run, the first time that this process has the task. */
    void begin(TaskId task, LongSupplier restored) {
        if (tasks.add(task)) {
            add(restored.getAsLong());
        }
    }

    /** Notes that a record came, before it is worked on; the first one starts the clock. */
    void seen() {
        if (!begun.get() && begun.compareAndSet(false, true)) {
            synchronized (this) {
                first = Moment.now();
            }
        }
    }

    /** Counts a new event in this thread's open transaction. */
    void applied() {
        uncommitted.set(uncommitted.get() + 1);
    }

    /** Counts what this thread's transaction brought, now that it is committed. */
    void committed() {
        add(uncommitted.get());
        uncommitted.set(0L);
    }

    /** Waits until all wanted events are committed; false when {@code failed} was first. */
    boolean await(AtomicBoolean failed) throws InterruptedException {
        while (!done.await(50, TimeUnit.MILLISECONDS)) {
            if (failed.get()) {
                return false;
            }
        }
        return true;
    }

    synchronized double seconds() {
        return first == null ? 0 : (last.wall - first.wall) / 1e9;
    }

    synchronized double cpuSeconds() {
        return first == null ? 0 : (last.cpu - first.cpu) / 1e9;
    }

    private synchronized void add(long events) {
        committed += events;
        if (committed >= wanted && last == null) {
            last = Moment.now();
            done.countDown();
        }
    }
}
