// What every cold start does, done before it is known for which function: AWS's client is started
// for functions of every kind, which are beside it in a directory and a jar, and given events. So
// classes are loaded and linked, the library is bound and what is done often is compiled by then.
package lambdad;

import com.amazonaws.services.lambda.runtime.api.client.AWSLambda;
import com.amazonaws.services.lambda.runtime.api.client.LambdaEnvironment;
import com.amazonaws.services.lambda.runtime.api.client.PojoSerializerLoader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.net.URLClassLoader;
import java.util.concurrent.FutureTask;

final class Rehearsal {
    // With new classes each time, as the function's will be.
    private static final int ROUNDS = 3;
    private static final int EVENTS = 6;
    private static final String EVENT =
            "{\"key\": [1, 2.5, \"text\", null, true], \"name\": \"\\u00e9\", \"part\": {\"count\": 1}}";
    private static final String[][] HANDLERS = {
        {"rehearsal.Mapped", EVENT},
        {"rehearsal.Mapped::handleRequest", EVENT},
        {"rehearsal.Plain::greet", EVENT},
        {"rehearsal.Streams", EVENT},
        {"rehearsal.Texts::handleRequest", "\"text\""},
    };
    private static final String NOWHERE = "/dev/null";

    private final Variables variables;
    private final String root = System.getenv("LAMBDA_RUNTIME_DIR") + "/rehearsal";
    private final Field number = FileDescriptor.class.getDeclaredField("fd");
    private final Field loader = AWSLambda.class.getDeclaredField("customerClassLoader");
    private final Field initialized = PojoSerializerLoader.class.getDeclaredField("initialized");

    private Rehearsal(Variables variables) throws Exception {
        this.variables = variables;
        for (Field each : new Field[] {number, loader, initialized}) {
            each.setAccessible(true);
        }
    }

    /** Leaves what is the process's own as it was, but for the variables. */
    static void run(Variables variables) throws Exception {
        PrintStream out = System.out;
        PrintStream err = System.err;
        String directory = System.getProperty("user.dir");
        try (Stage stage = new Stage()) {
            Rehearsal rehearsal = new Rehearsal(variables);
            // What AWS's client keeps for each thread goes with this one.
            FutureTask<Void> play = new FutureTask<>(() -> rehearsal.play(stage));
            new Thread(play, "rehearsal").start();
            play.get();
        } finally {
            System.setOut(out);
            System.setErr(err);
            System.setProperty("user.dir", directory);
            System.clearProperty("com.amazonaws.xray.traceHeader");
        }
    }

    private Void play(Stage stage) throws Exception {
        System.setProperty("user.dir", root);
        for (int round = 0; round < ROUNDS; round++) {
            for (String[] handler : HANDLERS) {
                stage.give(handler[1]);
                Scene.begin(EVENTS);
                play(handler[0], stage.address(), round % 2 == 0 ? "TEXT" : "JSON");
            }
        }
        return null;
    }

    private void play(String handler, String address, String format) throws Exception {
        FileOutputStream log = new FileOutputStream(NOWHERE);
        try (PrintStream nowhere = new PrintStream(NOWHERE)) {
            System.setOut(nowhere);
            System.setErr(nowhere);
            String itsOwn = "_LAMBDA_TELEMETRY_LOG_FD=" + number.getInt(log.getFD()) + "\0";
            variables.take((block(address, format) + itsOwn).getBytes("UTF-8"));
            LambdaEnvironment.read();
            AWSLambda.main(new String[] {handler});
        } catch (Throwable failed) {
            throw new IllegalStateException(handler, failed);
        } finally {
            // AWS's client has closed it, by its number.
            number.setInt(log.getFD(), -1);
            log.close();
        }
        ((URLClassLoader) loader.get(null)).close();
        loader.set(null, null);
        initialized.setBoolean(null, false);
    }

    private String block(String address, String format) {
        StringBuilder block = new StringBuilder();
        String[] all = {
            "AWS_LAMBDA_RUNTIME_API=" + address,
            "AWS_LAMBDA_LOG_FORMAT=" + format,
            "AWS_LAMBDA_LOG_LEVEL=" + (format.equals("JSON") ? "INFO" : "UNDEFINED"),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
            "AWS_LAMBDA_FUNCTION_NAME=rehearsal",
            "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/rehearsal",
            "AWS_LAMBDA_LOG_STREAM_NAME=1",
            "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
            "AWS_REGION=us-east-1",
            "LAMBDA_TASK_ROOT=" + root,
            "TZ=:UTC",
        };
        for (String one : all) {
            block.append(one).append('\0');
        }
        return block.toString();
    }
}
