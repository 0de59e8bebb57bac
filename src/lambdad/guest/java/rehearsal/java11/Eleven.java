package rehearsal;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Texts that are put together: each shape is made at its first use. */
public final class Eleven implements Runnable {
    private final String name = Optional.of("name").orElse("");
    private final Object thing = List.of(name, name);
    private final int number = Map.of(name, thing).size();
    private final long time = System.currentTimeMillis();
    private final double share = 0.5;

    @Override
    public void run() {
        System.out.println("one " + name);
        System.out.println(name + " one");
        System.out.println(name + name);
        System.out.println("one " + name + " two");
        System.out.println("one " + number);
        System.out.println(number + " one");
        System.out.println("one " + number + " two");
        System.out.println(name + number);
        System.out.println("one " + time + " two");
        System.out.println("one " + share);
        System.out.println("one " + thing);
        System.out.println("one " + thing + " two");
        System.out.println("one " + name + " two " + name);
        System.out.println("one " + name + " two " + name + " three");
        System.out.println("one " + name + " two " + number);
        System.out.println("one " + name + " two " + number + " three");
        System.out.println("one " + name + " two " + thing);
        System.out.println("one " + name + " two " + time + " three");
        System.out.println("one " + number + " two " + number);
        System.out.println("one " + name + " two " + name + " three " + name);
        System.out.println("one " + name + " two " + number + " three " + name);
        System.out.println("one " + name + " two " + name + " three " + name + " four " + name);
    }
}
