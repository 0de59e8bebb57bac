// What every cold start does, done once before it is known for which function: so that the classes
// are loaded, the library is bound and the first code compiled by then.
package lambdad;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.api.client.EventHandlerLoader;
import com.amazonaws.services.lambda.runtime.api.client.HandlerInfo;
import com.amazonaws.services.lambda.runtime.api.client.logging.FramedTelemetryLogSink;
import com.amazonaws.services.lambda.runtime.api.client.logging.LambdaContextLogger;
import com.amazonaws.services.lambda.runtime.api.client.runtimeapi.LambdaRuntimeApiClientImpl;
import com.amazonaws.services.lambda.runtime.api.client.runtimeapi.dto.InvocationRequest;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.Constructor;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.ServiceLoader;

final class Rehearsal {
    private static final int TIMES = 3;
    // They read the variables of the function when they are initialised, so they are only loaded.
    private static final String[] LATER = {"AWSLambda", "LambdaEnvironment", "PojoSerializerLoader"};
    private static final String CLIENT = "com.amazonaws.services.lambda.runtime.api.client.";

    private Rehearsal() {}

    /** A handler of the commonest kind. */
    public static final class Echo implements RequestHandler<Map<String, Object>, Object> {
        @Override
        public Object handleRequest(Map<String, Object> event, Context context) {
            return event;
        }
    }

    static void run() throws Exception {
        ClassLoader loader = Rehearsal.class.getClassLoader();
        for (String name : LATER) {
            Class.forName(CLIENT + name, false, loader);
        }
        load(loader);
        for (int times = 0; times < TIMES; times++) {
            serialize();
        }
        converse();
        log();
    }

    /** Finds a handler as if it were the function's. */
    private static void load(ClassLoader loader) throws Exception {
        Constructor<?> of = Class.forName(CLIENT + "CustomerClassLoader")
                .getDeclaredConstructor(String.class, String.class, ClassLoader.class);
        of.setAccessible(true);
        String root = System.getProperty("java.io.tmpdir");
        try (URLClassLoader own = (URLClassLoader) of.newInstance(root, root, loader)) {
            ServiceLoader.load(CustomPojoSerializer.class, own).iterator().hasNext();
            HandlerInfo found = HandlerInfo.fromString("lambdad.Rehearsal$Echo::handleRequest", own);
            EventHandlerLoader.loadEventHandler(found);
        }
    }

    private static void serialize() {
        byte[] event = "{\"key\": [1, 2.5, \"text\", null, true]}".getBytes(StandardCharsets.UTF_8);
        Type map = ((ParameterizedType) Echo.class.getGenericInterfaces()[0]).getActualTypeArguments()[0];
        for (Type type : new Type[] {map, Object.class, String.class}) {
            PojoSerializer<Object> serializer = JacksonFactory.getInstance().getSerializer(type);
            byte[] text = type == String.class ? "\"text\"".getBytes(StandardCharsets.UTF_8) : event;
            Object value = serializer.fromJson(new ByteArrayInputStream(text));
            serializer.toJson(value, new ByteArrayOutputStream());
        }
    }

    /** Asks for events and answers them, with nobody but this process. */
    private static void converse() throws Exception {
        InetAddress here = InetAddress.getByName("127.0.0.1");
        try (ServerSocket server = new ServerSocket(0, 1, here)) {
            Thread other = new Thread(() -> answer(server));
            other.setDaemon(true);
            other.start();
            String address = "127.0.0.1:" + server.getLocalPort();
            LambdaRuntimeApiClientImpl client = new LambdaRuntimeApiClientImpl(address);
            for (int times = 0; times < TIMES; times++) {
                InvocationRequest request = client.nextInvocation();
                client.reportInvocationSuccess(request.getId(), request.getContent());
            }
        }
    }

    private static void answer(ServerSocket server) {
        String event =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1"
                        + "\r\nLambda-Runtime-Deadline-Ms: 1\r\nLambda-Runtime-Invoked-Function-Arn: a"
                        + "\r\nContent-Length: 2\r\n\r\n{}";
        String taken = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
        while (true) {
            try (Socket socket = server.accept()) {
                BufferedReader in = new BufferedReader(
                        new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1));
                while (true) {
                    String request = in.readLine();
                    if (request == null) {
                        break;
                    }
                    int size = 0;
                    for (String line = in.readLine(); !line.isEmpty(); line = in.readLine()) {
                        if (line.toLowerCase().startsWith("content-length:")) {
                            size = Integer.parseInt(line.substring(15).trim());
                        }
                    }
                    in.skip(size);
                    String text = request.startsWith("GET") ? event : taken;
                    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
                }
            } catch (IOException over) {
                return;
            }
        }
    }

    private static void log() throws IOException {
        try (FileOutputStream nowhere = new FileOutputStream("/dev/null")) {
            for (LogFormat format : new LogFormat[] {LogFormat.TEXT, LogFormat.JSON}) {
                FramedTelemetryLogSink sink = new FramedTelemetryLogSink(nowhere.getFD());
                LambdaContextLogger logger = new LambdaContextLogger(sink, LogLevel.INFO, format);
                logger.log("text", LogLevel.INFO);
            }
        }
    }
}
