package be.icam.bench.schemas;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.UUID;

/** UUIDs as Python orders and names them, and digests. */
public final class Ids {
    /** Ascending as unsigned numbers; {@link UUID#compareTo} compares signed halves. */
    public static final Comparator<UUID> ORDER =
            ((Comparator<UUID>) (a, b) -> Long.compareUnsigned(
                            a.getMostSignificantBits(), b.getMostSignificantBits()))
                    .thenComparing((a, b) -> Long.compareUnsigned(
                            a.getLeastSignificantBits(), b.getLeastSignificantBits()));

    private static final long VERSION_BITS = 0xF000L;
    private static final long VERSION_5 = 0x5000L;
    private static final long VARIANT_BITS = 0xC000_0000_0000_0000L;
    private static final long VARIANT = 0x8000_0000_0000_0000L;

    private Ids() {}

    /** The version 5 UUID of a name within a namespace. */
    public static UUID named(UUID namespace, String name) {
        MessageDigest sha1 = digest("SHA-1");
        sha1.update(bytes(namespace));
        ByteBuffer made = ByteBuffer.wrap(sha1.digest(name.getBytes(StandardCharsets.UTF_8)));
        long most = made.getLong();
        long least = made.getLong();
        return new UUID(most & ~VERSION_BITS | VERSION_5, least & ~VARIANT_BITS | VARIANT);
    }

    public static byte[] bytes(UUID id) {
        return ByteBuffer.allocate(16)
                .putLong(id.getMostSignificantBits())
                .putLong(id.getLeastSignificantBits())
                .array();
    }

    public static MessageDigest digest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException(missing);
        }
    }
}
