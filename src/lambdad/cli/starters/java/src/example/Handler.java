package example;

import java.util.Collections;
import java.util.Map;

/** A function. A class may also implement RequestHandler of com.amazonaws:aws-lambda-java-core. */
public class Handler {
    // What stands in the constructor runs once for each environment, before its first event.

    public Map<String, String> handleRequest(Map<String, String> event) {
        String name = event.getOrDefault("name", "world");
        System.out.println("greeting " + name);
        return Collections.singletonMap("greeting", "Hello, " + name + "!");
    }
}
