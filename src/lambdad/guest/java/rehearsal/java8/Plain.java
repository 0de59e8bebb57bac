package rehearsal;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.List;
import lambdad.Scene;

/** A handler without an interface: named with its method, an object in and out. */
public final class Plain {
    public Greeting greet(Person person, Context context) {
        Scene.go();
        return new Greeting("hello " + person.getName() + " from " + context.getFunctionName());
    }

    public static final class Person {
        private String name;
        private List<Object> key;
        private Part part;

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public List<Object> getKey() {
            return key;
        }

        public void setKey(List<Object> key) {
            this.key = key;
        }

        public Part getPart() {
            return part;
        }

        public void setPart(Part part) {
            this.part = part;
        }
    }

    public static final class Greeting {
        private final String text;

        Greeting(String text) {
            this.text = text;
        }

        public String getText() {
            return text;
        }
    }
}
