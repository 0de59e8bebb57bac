// The context of an invocation. Its interfaces belong to the function's own Amazon.Lambda.Core,
// whichever version that is, so objects that have them are made while it runs.

using System;
using System.Collections.Generic;
using System.Reflection;
using System.Text.Json;

namespace Lambdad.Guest
{
    // Answers the members of any interface by name; members it does not know give nothing.
    public class Stand : DispatchProxy
    {
        private Dictionary<string, Func<object>> values;
        private Action<string, object[]> calls;

        public static object For(Type kind, Dictionary<string, Func<object>> values, Action<string, object[]> calls)
        {
            var create = typeof(DispatchProxy).GetMethod("Create", new Type[0]).MakeGenericMethod(kind, typeof(Stand));
            var stand = (Stand)create.Invoke(null, null);
            stand.values = values;
            stand.calls = calls;
            return stand;
        }

        protected override object Invoke(MethodInfo method, object[] arguments)
        {
            Func<object> value;
            if (method.Name.StartsWith("get_") && values.TryGetValue(method.Name.Substring(4), out value)) return value();
            if (calls != null && method.ReturnType == typeof(void)) calls(method.Name, arguments);
            var kind = method.ReturnType;
            return kind.IsValueType && kind != typeof(void) ? Activator.CreateInstance(kind) : null;
        }
    }

    public static class Context
    {
        public static object Of(Type kind, Event next)
        {
            var deadline = long.Parse(next.Header("lambda-runtime-deadline-ms") ?? "0");
            var values = new Dictionary<string, Func<object>>
            {
                { "AwsRequestId", () => next.RequestId },
                { "InvokedFunctionArn", () => next.Header("lambda-runtime-invoked-function-arn") },
                { "TenantId", () => next.Header("lambda-runtime-aws-tenant-id") },
                { "TraceId", () => next.Header("lambda-runtime-trace-id") },
                { "FunctionName", Variable("AWS_LAMBDA_FUNCTION_NAME") },
                { "FunctionVersion", Variable("AWS_LAMBDA_FUNCTION_VERSION") },
                { "LogGroupName", Variable("AWS_LAMBDA_LOG_GROUP_NAME") },
                { "LogStreamName", Variable("AWS_LAMBDA_LOG_STREAM_NAME") },
                { "MemoryLimitInMB", () => int.Parse(Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")) },
                { "RemainingTime", () => DateTimeOffset.FromUnixTimeMilliseconds(deadline) - DateTimeOffset.UtcNow },
            };
            Add(values, kind, "Logger", type => Stand.For(type, new Dictionary<string, Func<object>>(), LogCall));
            Add(values, kind, "Identity", type => Identity(type, next.Header("lambda-runtime-cognito-identity")));
            Add(values, kind, "ClientContext", type => Client(type, next.Header("lambda-runtime-client-context")));
            return Stand.For(kind, values, null);
        }

        private static Func<object> Variable(string name)
        {
            return () => Environment.GetEnvironmentVariable(name);
        }

        private static void Add(Dictionary<string, Func<object>> values, Type kind, string name, Func<Type, object> make)
        {
            var property = kind.GetProperty(name);
            if (property == null) return;
            var made = new Lazy<object>(() => make(property.PropertyType));
            values[name] = () => made.Value;
        }

        private static object Identity(Type kind, string json)
        {
            var document = JsonDocument.Parse(json ?? "{}").RootElement;
            return Stand.For(
                kind,
                new Dictionary<string, Func<object>>
                {
                    { "IdentityId", () => Member(document, "cognitoIdentityId") },
                    { "IdentityPoolId", () => Member(document, "cognitoIdentityPoolId") },
                },
                null);
        }

        private static object Client(Type kind, string json)
        {
            if (json == null) return null;
            var document = JsonDocument.Parse(json).RootElement;
            var values = new Dictionary<string, Func<object>>
            {
                { "Custom", () => Strings(document, "custom") },
                { "Environment", () => Strings(document, "env") },
            };
            Add(values, kind, "Client", type => Application(type, document));
            return Stand.For(kind, values, null);
        }

        private static object Application(Type kind, JsonElement document)
        {
            JsonElement client;
            if (!document.TryGetProperty("client", out client)) return null;
            return Stand.For(
                kind,
                new Dictionary<string, Func<object>>
                {
                    { "AppPackageName", () => Member(client, "app_package_name") },
                    { "AppTitle", () => Member(client, "app_title") },
                    { "AppVersionCode", () => Member(client, "app_version_code") },
                    { "AppVersionName", () => Member(client, "app_version_name") },
                    { "InstallationId", () => Member(client, "installation_id") },
                },
                null);
        }

        private static string Member(JsonElement document, string name)
        {
            JsonElement value;
            return document.TryGetProperty(name, out value) ? value.ToString() : null;
        }

        private static IDictionary<string, string> Strings(JsonElement document, string name)
        {
            var found = new Dictionary<string, string>();
            JsonElement members;
            if (document.TryGetProperty(name, out members) && members.ValueKind == JsonValueKind.Object)
            {
                foreach (var member in members.EnumerateObject()) found[member.Name] = member.Value.ToString();
            }
            return found;
        }

        // Every way of ILambdaLogger: Log(message), Log(level, message, ...), LogWarning(message, ...).
        private static void LogCall(string name, object[] arguments)
        {
            var level = name == "Log" || name == "LogLine" ? "Information" : name.Substring(3);
            var rest = new List<object>(arguments);
            if (name == "Log" && rest.Count > 1)
            {
                level = rest[0].ToString();
                rest.RemoveAt(0);
            }
            var error = rest.Count > 0 ? rest[0] as Exception : null;
            if (error != null) rest.RemoveAt(0);
            var message = rest.Count > 0 ? Convert.ToString(rest[0]) : "";
            if (rest.Count > 1 && rest[1] is object[]) message = Filled(message, (object[])rest[1]);
            Log.Write(level, error == null ? message : message + "\n" + error);
        }

        // Puts values in the places of a message template, `{name}`, one after the other.
        private static string Filled(string template, object[] values)
        {
            var index = 0;
            return System.Text.RegularExpressions.Regex.Replace(
                template, @"\{[^{}]+\}", place => index < values.Length ? Convert.ToString(values[index++]) : place.Value);
        }
    }
}
