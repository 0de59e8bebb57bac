package rehearsal;

import java.util.Collection;
import java.util.stream.Collectors;

/** What functions use of a library: this class is in a jar. */
public final class Part {
    private int count;

    public int getCount() {
        return count;
    }

    public void setCount(int count) {
        this.count = count;
    }

    public String described(Collection<String> names) {
        return String.format(
                "%d: %s", count, names.stream().map(String::trim).collect(Collectors.joining(",")));
    }
}
