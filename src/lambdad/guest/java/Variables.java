// Makes a process have other variables and another directory than it was started with.
package lambdad;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.TimeZone;

final class Variables {
    private static final String ENVIRONMENT = "java.lang.ProcessEnvironment";
    // Where the log goes was told to the process itself, at its start.
    private static final String KEPT = "_LAMBDA_TELEMETRY_LOG_FD";

    private final Map<Object, Object> all;
    private final Method name = reader("Variable");
    private final Method value = reader("Value");
    private final Field address = Buffer.class.getDeclaredField("address");
    private final byte[] kept;
    // Whether there is what Java itself cannot do.
    private final boolean library;

    @SuppressWarnings("unchecked")
    Variables(boolean library) throws Exception {
        this.library = library;
        Field field = Class.forName(ENVIRONMENT).getDeclaredField("theEnvironment");
        field.setAccessible(true);
        address.setAccessible(true);
        all = (Map<Object, Object>) field.get(null);
        String log = System.getenv(KEPT);
        kept = ((log == null) ? "" : KEPT + "=" + log + "\0").getBytes("UTF-8");
    }

    private static Method reader(String kind) throws Exception {
        Method method =
                Class.forName(ENVIRONMENT + "$" + kind).getDeclaredMethod("valueOf", byte[].class);
        method.setAccessible(true);
        return method;
    }

    /** Sets those of a block, each with a NUL behind it, for Java and for libraries in C. */
    void take(byte[] block) throws Exception {
        all.clear();
        if (library) {
            Ahead.clear();
        }
        add(block);
        if (System.getenv(KEPT) == null) {
            add(kept);
        }
        if (library) {
            byte[] root = (System.getenv("LAMBDA_TASK_ROOT") + "\0").getBytes("UTF-8");
            Ahead.enter(address.getLong(direct(root)));
        }
        TimeZone.setDefault(null);
    }

    private void add(byte[] block) throws Exception {
        byte[] ended = block.clone();
        for (int start = 0, sign = 0, at = 0; at < block.length; at++) {
            if (block[at] == '=' && sign == 0) {
                sign = at;
                ended[at] = 0;
            } else if (block[at] == 0) {
                all.put(part(name, block, start, sign), part(value, block, sign + 1, at));
                start = at + 1;
                sign = 0;
            }
        }
        if (library) {
            setAll(ended);
        }
    }

    private static Object part(Method of, byte[] block, int start, int end) throws Exception {
        return of.invoke(null, (Object) Arrays.copyOfRange(block, start, end));
    }

    /** The same, where a NUL is behind each name too. */
    private void setAll(byte[] ended) throws Exception {
        ByteBuffer texts = direct(ended);
        long first = address.getLong(texts);
        for (int start = 0, middle = -1, at = 0; at < ended.length; at++) {
            if (ended[at] != 0) {
                continue;
            }
            if (middle < 0) {
                middle = at + 1;
            } else {
                Ahead.set(first + start, first + middle);
                start = at + 1;
                middle = -1;
            }
        }
    }

    private static ByteBuffer direct(byte[] content) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(Math.max(1, content.length));
        buffer.put(content);
        return buffer;
    }
}
