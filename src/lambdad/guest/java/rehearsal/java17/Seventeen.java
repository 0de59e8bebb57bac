package rehearsal;

import java.util.List;
import java.util.stream.IntStream;

/** Records and switches. */
public final class Seventeen implements Runnable {
    public enum Kind {
        SMALL,
        LARGE
    }

    public record Item(String name, int count, Kind kind) {}

    @Override
    public void run() {
        List<Item> items = IntStream.range(0, 3)
                .mapToObj(number -> new Item("item " + number, number, Kind.SMALL))
                .filter(item -> item.count() > 0)
                .toList();
        Item first = items.get(0);
        if (first.equals(items.get(1)) || first.hashCode() == 0) {
            throw new IllegalStateException(first.toString());
        }
        String size = switch (first.kind()) {
            case SMALL -> "small " + first;
            case LARGE -> "large";
        };
        System.out.println(size);
    }
}
