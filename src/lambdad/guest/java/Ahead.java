// Entry point of a Java runtime process that is started before it is known for which function.
//
// The platform hands over a socket in _LAMBDAD_ASSIGNMENT_FD. This side writes one byte once it is
// ready to be frozen; the other writes the variables of the function, each with a NUL behind it,
// and closes. Only then is there code in /var/task, and AWS's client begins. Written in Java 8.
package lambdad;

import com.amazonaws.services.lambda.runtime.api.client.AWSLambda;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.TimeZone;

public final class Ahead {
    private static final String VARIABLE = "_LAMBDAD_ASSIGNMENT_FD";
    private static final String KEPT = "_LAMBDA_TELEMETRY_LOG_FD";
    private static final String ENVIRONMENT = "java.lang.ProcessEnvironment";

    private Ahead() {}

    // What Java itself cannot do, from a library that the platform makes. The addresses are of
    // texts with a NUL behind them.
    private static native int clear();

    private static native int set(long name, long value);

    private static native int enter(long directory);

    public static void main(String[] arguments) throws Throwable {
        String announced = System.getenv(VARIABLE);
        if (announced == null) {
            // Only to see which classes that takes.
            Rehearsal.run();
            return;
        }
        System.load(System.getProperty("lambdad.library"));
        Rehearsal.run();
        byte[] block = await(Integer.parseInt(announced));
        if (block.length == 0) {
            // The platform needs the memory for something else.
            Runtime.getRuntime().halt(0);
        }
        take(block);
        AWSLambda.main(new String[] {System.getenv("_HANDLER")});
    }

    private static byte[] await(int number) throws Exception {
        Constructor<FileDescriptor> of = FileDescriptor.class.getDeclaredConstructor(int.class);
        of.setAccessible(true);
        FileDescriptor descriptor = of.newInstance(number);
        try (FileOutputStream out = new FileOutputStream(descriptor);
                FileInputStream in = new FileInputStream(descriptor)) {
            // Once for practice, so that nothing of this is done for the first time afterwards.
            take(new byte[0]);
            out.write(0);
            return readAll(in);
        }
    }

    private static byte[] readAll(InputStream in) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] chunk = new byte[65536];
        for (int size = in.read(chunk); size > 0; size = in.read(chunk)) {
            all.write(chunk, 0, size);
        }
        return all.toByteArray();
    }

    /** Makes the variables those of the function, for Java and for libraries in C. */
    @SuppressWarnings("unchecked")
    private static void take(byte[] block) throws Exception {
        Field field = Class.forName(ENVIRONMENT).getDeclaredField("theEnvironment");
        Method name = reader("Variable");
        Method value = reader("Value");
        field.setAccessible(true);
        Map<Object, Object> variables = (Map<Object, Object>) field.get(null);
        Field address = Buffer.class.getDeclaredField("address");
        address.setAccessible(true);
        Map<byte[], byte[]> given = split(block);
        if (given.isEmpty()) {
            return;
        }
        keep(variables, given);
        variables.clear();
        clear();
        for (Map.Entry<byte[], byte[]> entry : given.entrySet()) {
            variables.put(
                    name.invoke(null, (Object) entry.getKey()),
                    value.invoke(null, (Object) entry.getValue()));
            ByteBuffer first = text(entry.getKey());
            ByteBuffer second = text(entry.getValue());
            set(address.getLong(first), address.getLong(second));
        }
        ByteBuffer root = text(System.getenv("LAMBDA_TASK_ROOT").getBytes("UTF-8"));
        enter(address.getLong(root));
        TimeZone.setDefault(null);
    }

    private static Method reader(String kind) throws Exception {
        Method method =
                Class.forName(ENVIRONMENT + "$" + kind).getDeclaredMethod("valueOf", byte[].class);
        method.setAccessible(true);
        return method;
    }

    private static Map<byte[], byte[]> split(byte[] block) {
        Map<byte[], byte[]> found = new HashMap<>();
        for (int start = 0, at = 0; at < block.length; at++) {
            if (block[at] != 0) {
                continue;
            }
            int sign = start;
            while (block[sign] != '=') {
                sign++;
            }
            found.put(
                    java.util.Arrays.copyOfRange(block, start, sign),
                    java.util.Arrays.copyOfRange(block, sign + 1, at));
            start = at + 1;
        }
        return found;
    }

    /** Where the log goes was told to the process itself, at its start. */
    private static void keep(Map<Object, Object> variables, Map<byte[], byte[]> given)
            throws IOException {
        for (Map.Entry<Object, Object> entry : variables.entrySet()) {
            if (entry.getKey().toString().equals(KEPT)) {
                given.put(KEPT.getBytes("UTF-8"), entry.getValue().toString().getBytes("UTF-8"));
            }
        }
    }

    private static ByteBuffer text(byte[] content) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(content.length + 1);
        buffer.put(content);
        return buffer;
    }
}
