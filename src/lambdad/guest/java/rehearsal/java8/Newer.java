package rehearsal;

/** What functions do in later versions of the language, where Java is of that version. */
final class Newer {
    private static final String[] VERSIONS = {"rehearsal.Eleven", "rehearsal.Seventeen"};

    private Newer() {}

    static void run() {
        for (String name : VERSIONS) {
            try {
                ((Runnable) Class.forName(name).getConstructor().newInstance()).run();
            } catch (UnsupportedClassVersionError older) {
                return;
            } catch (ReflectiveOperationException never) {
                throw new IllegalStateException(never);
            }
        }
    }
}
