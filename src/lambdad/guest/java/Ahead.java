// Entry point of a Java runtime process that is started before it is known for which function.
//
// The platform hands over a socket in _LAMBDAD_ASSIGNMENT_FD. This side writes one byte once it is
// ready to be frozen; the other writes the variables of the function, each with a NUL behind it,
// and closes. Only then is there code in /var/task, and AWS's client begins. A byte 1 before them
// comes with a descriptor that a snapshot is written to. Written in Java 8.
package lambdad;

import com.amazonaws.services.lambda.runtime.api.client.AWSLambda;
import com.amazonaws.services.lambda.runtime.api.client.LambdaEnvironment;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;

public final class Ahead {
    private static final String VARIABLE = "_LAMBDAD_ASSIGNMENT_FD";
    // What was compiled last is installed, and the last thread of the rehearsal gone.
    private static final long CALM_MS = 20;
    // The library of Snapshot, if there is one.
    private static final String SNAPSHOTS = System.getProperty("lambdad.snapshots");

    private Ahead() {}

    // What Java itself cannot do, from a library that the platform makes. The addresses are of
    // texts with a NUL behind them.
    static native int clear();

    static native int set(long name, long value);

    static native int enter(long directory);

    public static void main(String[] arguments) throws Throwable {
        String announced = System.getenv(VARIABLE);
        String library = System.getProperty("lambdad.library");
        if (library != null) {
            System.load(library);
        }
        if (SNAPSHOTS != null) {
            System.load(SNAPSHOTS);
        }
        Variables variables = new Variables(library != null);
        Rehearsal.run(variables);
        if (announced == null) {
            // It was only to see which classes that takes.
            return;
        }
        byte[] block = await(Integer.parseInt(announced), variables);
        if (block.length == 0) {
            // The platform needs the memory for something else.
            Runtime.getRuntime().halt(0);
        }
        variables.take(block);
        LambdaEnvironment.read();
        AWSLambda.main(new String[] {System.getenv("_HANDLER")});
    }

    private static byte[] await(int number, Variables variables) throws Exception {
        Constructor<FileDescriptor> of = FileDescriptor.class.getDeclaredConstructor(int.class);
        of.setAccessible(true);
        FileDescriptor descriptor = of.newInstance(number);
        FileOutputStream out = new FileOutputStream(descriptor);
        FileInputStream in = new FileInputStream(descriptor);
        // What follows finds room that has been used before, and need not collect garbage.
        System.gc();
        Thread.sleep(CALM_MS);
        out.write(0);
        int output = SNAPSHOTS == null ? -1 : Snapshot.receive(number);
        byte[] block = readAll(in);
        if (output < 0) {
            in.close();
            out.close();
        } else {
            Snapshot.want(output, in, out, variables);
        }
        return block;
    }

    static byte[] readAll(InputStream in) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] chunk = new byte[8192];
        for (int size = in.read(chunk); size > 0; size = in.read(chunk)) {
            all.write(chunk, 0, size);
        }
        return all.toByteArray();
    }
}
