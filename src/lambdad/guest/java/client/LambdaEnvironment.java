// In the place of a class of AWS's client, which reads the variables of the function once and for
// ever: a process that is started ahead reads them a second time.
package com.amazonaws.services.lambda.runtime.api.client;

import com.amazonaws.services.lambda.runtime.api.client.util.EnvReader;

public class LambdaEnvironment {
    public static final EnvReader ENV_READER = new EnvReader();
    public static int MEMORY_LIMIT;
    public static String LOG_GROUP_NAME;
    public static String LOG_STREAM_NAME;
    public static String LAMBDA_LOG_LEVEL;
    public static String LAMBDA_LOG_FORMAT;
    public static String FUNCTION_NAME;
    public static String FUNCTION_VERSION;
    public static String RUNTIME_API;

    static {
        read();
    }

    /** Takes the values of this moment. */
    public static void read() {
        MEMORY_LIMIT = Integer.parseInt(or("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"));
        LOG_GROUP_NAME = System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
        LOG_STREAM_NAME = System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
        LAMBDA_LOG_LEVEL = or("AWS_LAMBDA_LOG_LEVEL", "UNDEFINED");
        LAMBDA_LOG_FORMAT = or("AWS_LAMBDA_LOG_FORMAT", "TEXT");
        FUNCTION_NAME = System.getenv("AWS_LAMBDA_FUNCTION_NAME");
        FUNCTION_VERSION = System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
        RUNTIME_API = System.getenv("AWS_LAMBDA_RUNTIME_API");
    }

    private static String or(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }
}
