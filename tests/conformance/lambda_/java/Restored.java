// Functions that are restored: what goes on in a copy, what fails, and what no copy can have.
package example;

import com.amazonaws.services.lambda.crac.Context;
import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.crac.Resource;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.Pipe;
import java.nio.channels.Selector;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.GZIPInputStream;

public class Restored implements Resource {
    private static final String MINE = UUID.randomUUID().toString();
    private static final List<String> CALLS = new ArrayList<>();
    private static final AtomicLong TICKS = new AtomicLong();
    private static final AtomicLong WAKES = new AtomicLong();
    private static final SynchronousQueue<String> QUESTIONS = new SynchronousQueue<>();
    private static final SynchronousQueue<String> ANSWERS = new SynchronousQueue<>();
    private static final ExecutorService POOL = Executors.newFixedThreadPool(2);
    private static final SecureRandom RANDOM = new SecureRandom();
    private static Object held;
    private static volatile boolean busy;
    private static Selector selector;
    private final Map<Integer, String> table = new HashMap<>();
    private final BufferedReader source;
    private final Socket connection;

    public Restored() throws Exception {
        System.out.println("the class is initialised");
        for (int number = 0; number < 20_000; number++) {
            table.put(number, String.valueOf(number));
        }
        selector = Selector.open();
        background("selecting", () -> {
            if (selector.select() >= 0) {
                WAKES.incrementAndGet();
            }
        });
        background("ticker", () -> {
            Thread.sleep(5);
            TICKS.incrementAndGet();
        });
        background("worker", () -> ANSWERS.put(QUESTIONS.take() + "!"));
        POOL.submit(() -> 1).get();
        RANDOM.nextLong();
        source = new BufferedReader(new InputStreamReader(
                new java.io.FileInputStream("/var/task/lines.txt")), 8);
        source.readLine();
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            connection = new Socket(InetAddress.getLoopbackAddress(), server.getLocalPort());
            held = hold(System.getenv("HOLDS"));
        }
        Core.getGlobalContext().register(this);
    }

    private interface Step {
        void run() throws Exception;
    }

    private static void background(String name, Step step) {
        Thread thread = new Thread(() -> {
            try {
                while (true) {
                    step.run();
                }
            } catch (Exception error) {
                CALLS.add(name + " failed: " + error);
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static Object hold(String what) throws Exception {
        switch (String.valueOf(what)) {
            case "process":
                return new ProcessBuilder("sleep", "99").start();
            case "pipe":
                return Pipe.open();
            case "file":
                return new File("/tmp/left").createNewFile();
            default:
                return null;
        }
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
        if ("before".equals(System.getenv("FAILS"))) {
            throw new IllegalStateException("it cannot stop");
        }
        CALLS.add("before");
        busy = "threads".equals(System.getenv("HOLDS"));
        for (int number = 0; busy && number < 24; number++) {
            background("busy", () -> {
                while (busy) {
                    Thread.onSpinWait();
                }
                Thread.sleep(1000);
            });
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws Exception {
        if ("after".equals(System.getenv("FAILS"))) {
            throw new IllegalStateException("there is no database");
        }
        busy = false;
        CALLS.add("after");
        System.out.println("a hook runs");
    }

    public Map<String, Object> handle(
            Map<String, Object> event, com.amazonaws.services.lambda.runtime.Context context)
            throws Exception {
        Thread.sleep(((Number) event.getOrDefault("hold", 0)).longValue());
        if (event.containsKey("collect")) {
            System.gc();
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("faults", faults());
        answer.put("mine", MINE);
        answer.put("calls", CALLS);
        answer.put("table", table.size() + table.get(777));
        answer.put("random", new Object[] {UUID.randomUUID().toString(), RANDOM.nextLong()});
        long before = TICKS.get();
        for (int wait = 0; wait < 500 && TICKS.get() == before; wait++) {
            Thread.sleep(5);
        }
        answer.put("ticks", TICKS.get() > before);
        long wakes = WAKES.get();
        selector.wakeup();
        for (int wait = 0; wait < 500 && WAKES.get() == wakes; wait++) {
            Thread.sleep(5);
        }
        answer.put("selector", WAKES.get() > wakes);
        QUESTIONS.put("asked");
        answer.put("worker", ANSWERS.take());
        answer.put("pool", POOL.submit(() -> 42).get());
        answer.put("line", String.valueOf(source.readLine()));
        answer.put("connection", read(connection.getInputStream()));
        answer.put("late", GZIPInputStream.class.getResource("GZIPInputStream.class") != null
                && Restored.class.getResource("/lines.txt") != null);
        answer.put("type", System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"));
        answer.put("streams", new String[] {
            System.getenv("AWS_LAMBDA_LOG_STREAM_NAME"), context.getLogStreamName()});
        answer.put("private", System.getenv().keySet().toString().contains("LAMBDAD"));
        answer.put("held", held != null);
        return answer;
    }

    /** What the JVM makes of faults of the processor: it has handlers for them. */
    private static List<String> faults() {
        List<String> caught = new ArrayList<>();
        try {
            caught.add("" + deeper(1));
        } catch (StackOverflowError error) {
            caught.add("too deep");
        }
        for (String text : new String[] {"text", null}) {
            try {
                for (int time = 0; time < 2_000; time++) {
                    lengthOf(text);
                }
            } catch (NullPointerException error) {
                caught.add("no text");
            }
        }
        try {
            caught.add("" + 1 / (caught.size() - 2));
        } catch (ArithmeticException error) {
            caught.add("by zero");
        }
        return caught;
    }

    private static long deeper(long depth) {
        return 1 + deeper(depth + 1);
    }

    private static int lengthOf(String text) {
        return text.length();
    }

    private static String read(InputStream in) {
        try {
            return "" + in.read();
        } catch (Exception broken) {
            return broken.toString();
        }
    }
}
