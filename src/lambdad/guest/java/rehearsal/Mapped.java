// Functions of the commonest kinds, for a rehearsal.
package rehearsal;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.HashMap;
import java.util.Map;
import lambdad.Scene;

public final class Mapped implements RequestHandler<Map<String, Object>, Object> {
    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        Scene.go();
        Part part = new Part();
        part.setCount(event.size());
        Map<String, Object> answer = new HashMap<>(event);
        answer.put("part", part);
        answer.put("left", context.getRemainingTimeInMillis());
        context.getLogger().log(part.described(event.keySet()));
        System.out.println(context.getAwsRequestId());
        return answer;
    }
}
