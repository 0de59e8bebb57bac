// Makes a snapshot of the process of a function, and is what goes on with it.
//
// AWS's client runs the hooks before the snapshot of its global context, asks the platform for
// what it calls the restore, and runs the hooks after it. This is that context: it has the process
// written out between the first two. A copy comes out of the same call, tells the platform so by
// the socket of its own assignment, takes its variables, and goes on. Written in Java 8.
package lambdad;

import com.amazonaws.services.lambda.crac.CheckpointException;
import com.amazonaws.services.lambda.crac.Context;
import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.crac.Resource;
import com.amazonaws.services.lambda.crac.RestoreException;
import com.amazonaws.services.lambda.runtime.api.client.AWSLambda;
import com.amazonaws.services.lambda.runtime.api.client.LambdaEnvironment;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Field;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.ByteBuffer;

final class Snapshot extends Context<Resource> {
    private static final int COPY = 1;
    private static final int RESTORED = 'R';

    private final Context<Resource> hooks = Core.getGlobalContext();
    private final int output;
    private final InputStream in;
    private final OutputStream out;
    private final Variables variables;
    private boolean copy;

    private Snapshot(int output, InputStream in, OutputStream out, Variables variables) {
        this.output = output;
        this.in = in;
        this.out = out;
        this.variables = variables;
    }

    /** The descriptor that comes first by a socket, if a snapshot is wanted; else -1. */
    static native int receive(int connection);

    /** Writes this process to a descriptor, or why it cannot be: 1 in who takes it on. */
    private static native int capture(int output);

    /** Sets a static field that Java takes for a constant. */
    private static native void assign(Class<?> of, Field field, Object value);

    /** Has a snapshot made when the function is initialised. */
    static void want(int output, InputStream in, OutputStream out, Variables variables)
            throws Exception {
        Field context = Core.class.getDeclaredField("globalContext");
        context.setAccessible(true);
        context.set(null, new Snapshot(output, in, out, variables));
        // It has read that, for ever, when it was rehearsed: what runs hooks only then.
        Field type = AWSLambda.class.getDeclaredField("AWS_LAMBDA_INITIALIZATION_TYPE");
        assign(AWSLambda.class, type, "snap-start");
    }

    @Override
    public void register(Resource resource) {
        hooks.register(resource);
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
        hooks.beforeCheckpoint(context);
        try {
            rehearse();
            copy = capture(output) == COPY;
            if (copy) {
                variables.take(Ahead.readAll(in));
                LambdaEnvironment.read();
                out.write(RESTORED);
            }
        } catch (Exception error) {
            CheckpointException failure = new CheckpointException();
            failure.addSuppressed(error);
            throw failure;
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws RestoreException {
        long begun = System.nanoTime();
        hooks.afterRestore(context);
        if (copy) {
            try {
                // The function's owner pays for it.
                out.write(ByteBuffer.allocate(8).putLong(System.nanoTime() - begun).array());
                out.close();
            } catch (IOException gone) {
                // Nobody wants to know.
                return;
            }
        }
    }

    /** Makes a call as the client does after the restore: what that loads is in the snapshot. */
    private static void rehearse() throws IOException {
        URL url = new URL("http://" + LambdaEnvironment.RUNTIME_API + "/2018-06-01/ping");
        HttpURLConnection call = (HttpURLConnection) url.openConnection();
        call.setRequestProperty("Connection", "close");
        call.getResponseCode();
        try (InputStream answer = call.getInputStream()) {
            while (answer.read() >= 0) {
                continue;
            }
        }
        call.disconnect();
    }
}
