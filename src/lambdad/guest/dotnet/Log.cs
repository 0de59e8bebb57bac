// What a function prints and logs: lines with time, request id and level, or JSON records.

using System;
using System.IO;
using System.Text;

namespace Lambdad.Guest
{
    public static class Log
    {
        public static string RequestId = "";

        private static readonly string[] Levels = { "Trace", "Debug", "Information", "Warning", "Error", "Critical" };
        // As the lines of text call them.
        private static readonly string[] Short = { "trce", "dbug", "info", "warn", "fail", "crit" };
        private static bool asJson;
        private static int least;
        private static TextWriter console;

        // Begins anew, as the variables of this moment say.
        public static void Install(Stream output)
        {
            asJson = Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_FORMAT") == "JSON";
            least = LevelOf(Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_LEVEL") ?? "TRACE");
            console = new StreamWriter(output, new UTF8Encoding(false)) { AutoFlush = true };
            Console.SetOut(TextWriter.Synchronized(new Lines("Information")));
            Console.SetError(TextWriter.Synchronized(new Lines("Error")));
        }

        public static void Error(string message)
        {
            Write("Error", message);
        }

        public static void Write(string level, string message)
        {
            var number = LevelOf(level);
            if (number < least) return;
            var time = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'");
            string record;
            if (asJson)
            {
                record = "{\"timestamp\":" + Json.Text(time) + ",\"level\":" + Json.Text(Levels[number])
                    + ",\"requestId\":" + Json.Text(RequestId) + ",\"message\":" + Json.Text(message) + "}\n";
            }
            else
            {
                // One line is one log event, so a record may not have more.
                record = time + "\t" + RequestId + "\t" + Short[number] + "\t" + message.TrimEnd('\n').Replace('\n', '\r') + "\n";
            }
            lock (console) console.Write(record);
        }

        private static int LevelOf(string name)
        {
            for (var index = 0; index < Levels.Length; index++)
            {
                if (Levels[index].StartsWith(name, StringComparison.OrdinalIgnoreCase)) return index;
            }
            if (name.Equals("WARN", StringComparison.OrdinalIgnoreCase)) return 3;
            return name.Equals("FATAL", StringComparison.OrdinalIgnoreCase) ? 5 : 2;
        }

        // Makes a record of each line that is printed.
        private sealed class Lines : TextWriter
        {
            private readonly string level;
            private readonly StringBuilder line = new StringBuilder();

            public Lines(string level)
            {
                this.level = level;
            }

            public override Encoding Encoding
            {
                get { return Encoding.UTF8; }
            }

            public override void Write(char value)
            {
                if (value == '\n') End();
                else line.Append(value);
            }

            public override void WriteLine(string value)
            {
                line.Append(value);
                End();
            }

            public override void Flush()
            {
                if (line.Length > 0) End();
            }

            private void End()
            {
                var text = line.ToString();
                line.Clear();
                Log.Write(level, text);
            }
        }
    }
}
