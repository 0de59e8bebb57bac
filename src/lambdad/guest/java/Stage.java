// A Runtime API for a rehearsal: gives events, and takes the answers.
package lambdad;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

final class Stage extends Thread implements AutoCloseable {
    private static final String LENGTH = "content-length:";
    private static final String TAKEN = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n";
    // Java would have a thread that watches connections which are kept.
    private static final String LAST = "Connection: close\r\n";

    private final ServerSocket server;
    private final List<Thread> threads = new ArrayList<>();
    private final List<Socket> sockets = new ArrayList<>();
    private volatile String event = "";

    Stage() throws IOException {
        // Numbers of threads without a name are left to the function.
        super("stage");
        server = new ServerSocket(0, 2, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
        start();
    }

    String address() {
        return "127.0.0.1:" + server.getLocalPort();
    }

    void give(String event) {
        this.event = event;
    }

    @Override
    public void run() {
        try {
            while (true) {
                Socket socket = server.accept();
                Thread thread = new Thread(() -> converse(socket), "scene");
                sockets.add(socket);
                threads.add(thread);
                thread.start();
            }
        } catch (IOException over) {
            return;
        }
    }

    private void converse(Socket socket) {
        try (InputStream in = new BufferedInputStream(socket.getInputStream())) {
            OutputStream out = socket.getOutputStream();
            for (String request = line(in); !request.isEmpty(); request = line(in)) {
                skipRest(in);
                boolean asks = request.startsWith("get ");
                String end = request.contains("/error ") ? LAST + "\r\n" : "\r\n";
                String answer = asks ? event() : TAKEN + end;
                out.write(answer.getBytes(StandardCharsets.UTF_8));
            }
        } catch (IOException over) {
            return;
        }
    }

    private String event() {
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                + "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
                + "Lambda-Runtime-Deadline-Ms: 1542409706888\r\n"
                + "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n"
                + "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:1:function:f\r\n"
                + "Content-Length: " + event.length() + "\r\n\r\n" + event;
    }

    private static void skipRest(InputStream in) throws IOException {
        long size = 0;
        for (String line = line(in); !line.isEmpty(); line = line(in)) {
            if (line.startsWith(LENGTH)) {
                size = Long.parseLong(line.substring(LENGTH.length()).trim());
            }
        }
        while (size > 0 && in.read() >= 0) {
            size--;
        }
    }

    /** The next one in small letters, without its end; nothing at the end of all. */
    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next >= 0 && next != '\n'; next = in.read()) {
            if (next != '\r') {
                line.append((char) next);
            }
        }
        return line.toString().toLowerCase();
    }

    @Override
    public void close() throws Exception {
        server.close();
        join();
        for (Socket socket : sockets) {
            socket.close();
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }
}
