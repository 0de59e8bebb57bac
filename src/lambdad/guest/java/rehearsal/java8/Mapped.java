// Functions of the commonest kinds, for a rehearsal.
package rehearsal;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;
import lambdad.Scene;

public final class Mapped implements RequestHandler<Map<String, Object>, Object> {
    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        Scene.go();
        try {
            return answer(event, context);
        } catch (NoSuchAlgorithmException never) {
            throw new IllegalStateException(never);
        }
    }

    private Object answer(Map<String, Object> event, Context context)
            throws NoSuchAlgorithmException {
        Part part = new Part();
        part.setCount(event.size());
        Map<String, Object> answer = new HashMap<>(event);
        answer.put("part", part);
        answer.put("left", context.getRemainingTimeInMillis());
        context.getLogger().log(part.described(event.keySet()));
        answer.put("signed", Part.signed(context.getAwsRequestId()));
        Newer.run();
        return answer;
    }
}
