package rehearsal;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import lambdad.Scene;

public final class Texts implements RequestHandler<String, String> {
    @Override
    public String handleRequest(String event, Context context) {
        Scene.go();
        return event.toUpperCase();
    }
}
