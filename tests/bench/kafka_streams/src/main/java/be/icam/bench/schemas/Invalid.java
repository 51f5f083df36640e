package be.icam.bench.schemas;

/** The record can't be an event. Nothing is set aside here: the program ends. */
public final class Invalid extends RuntimeException {
    private static final long serialVersionUID = 1;

    public Invalid(String message) {
        super(message);
    }

    public Invalid(String message, Throwable cause) {
        super(message, cause);
    }
}
