package rehearsal;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import lambdad.Scene;

public final class Streams implements RequestStreamHandler {
    @Override
    public void handleRequest(InputStream in, OutputStream out, Context context)
            throws IOException {
        Scene.go();
        byte[] chunk = new byte[1024];
        for (int size = in.read(chunk); size > 0; size = in.read(chunk)) {
            out.write(chunk, 0, size);
        }
    }
}
