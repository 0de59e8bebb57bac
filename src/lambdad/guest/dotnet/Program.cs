// Entry point of a .NET runtime process: load the handler, then one event after another.
// Written in C# 7 for .NET Core 3.1 and later, so that every compiler takes it.

using System;
using System.IO;
using System.Text;

namespace Lambdad.Guest
{
    public static class Program
    {
        public static int Main()
        {
            Ahead.Wait();
            Log.Install(Console.OpenStandardOutput());
            var api = new RuntimeApi(Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API"));
            Handler handler;
            try
            {
                handler = Handler.Load(
                    Environment.GetEnvironmentVariable("_HANDLER") ?? "",
                    Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT") ?? "/var/task");
            }
            catch (Exception error)
            {
                var failure = Failure.Of(error);
                Log.Error(failure.Text);
                api.FailInit(failure.Type, failure.Document);
                return 1;
            }
            while (true)
            {
                Serve(api, handler, api.Next());
            }
        }

        public static void Serve(RuntimeApi api, Handler handler, Event next)
        {
            Log.RequestId = next.RequestId;
            Environment.SetEnvironmentVariable("_X_AMZN_TRACE_ID", next.Header("lambda-runtime-trace-id"));
            MemoryStream answer;
            try
            {
                answer = handler.Call(next);
            }
            catch (Exception error)
            {
                var failure = Failure.Of(error);
                Log.Error(failure.Text);
                api.Fail(next.RequestId, failure.Type, failure.Document);
                return;
            }
            finally
            {
                Console.Out.Flush();
            }
            api.Respond(next.RequestId, answer);
        }
    }

    // A failure of the function, as its caller is told of it.
    public sealed class Failure
    {
        public string Type;
        public string Text;
        public byte[] Document;

        public static Failure Of(Exception error)
        {
            error = Unwrapped(error);
            var json = new StringBuilder();
            Write(json, error, 0);
            return new Failure
            {
                Type = error.GetType().Name,
                Text = error.ToString(),
                Document = Encoding.UTF8.GetBytes(json.ToString()),
            };
        }

        // What reflection and tasks put around the function's own error.
        private static Exception Unwrapped(Exception error)
        {
            while (error.InnerException != null
                && (error is System.Reflection.TargetInvocationException
                    || error is TypeInitializationException
                    || (error is AggregateException several && several.InnerExceptions.Count == 1)))
            {
                error = error.InnerException;
            }
            return error;
        }

        private static void Write(StringBuilder json, Exception error, int depth)
        {
            json.Append("{\"errorType\":").Append(Json.Text(error.GetType().Name));
            json.Append(",\"errorMessage\":").Append(Json.Text(error.Message));
            json.Append(",\"stackTrace\":[");
            var lines = (error.StackTrace ?? "").Split(new[] { '\n' }, StringSplitOptions.RemoveEmptyEntries);
            for (var index = 0; index < lines.Length; index++)
            {
                json.Append(index > 0 ? "," : "").Append(Json.Text(lines[index].TrimEnd('\r')));
            }
            json.Append("]");
            if (error.InnerException != null && depth < 10)
            {
                json.Append(",\"cause\":");
                Write(json, error.InnerException, depth + 1);
            }
            json.Append("}");
        }
    }

    public static class Json
    {
        public static string Text(string value)
        {
            var json = new StringBuilder("\"");
            foreach (var letter in value ?? "")
            {
                if (letter == '"' || letter == '\\') json.Append('\\').Append(letter);
                else if (letter < ' ' || char.IsSurrogate(letter)) json.Append("\\u").Append(((int)letter).ToString("x4"));
                else json.Append(letter);
            }
            return json.Append('"').ToString();
        }
    }
}
