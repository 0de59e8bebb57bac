// What every cold start does, done before it is known for which function, so that its code is
// compiled by then: handlers of every kind are found, given events and answered for.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Amazon.Lambda.Core;

namespace Amazon.Lambda.Core
{
    // Of the names that a function's own have: what knows them knows them by name.
    public interface ILambdaContext
    {
        string AwsRequestId { get; }
        string FunctionName { get; }
        ILambdaLogger Logger { get; }
        TimeSpan RemainingTime { get; }
    }

    public interface ILambdaLogger
    {
        void Log(string message);
        void LogLine(string message);
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class LambdaSerializerAttribute : Attribute
    {
        public LambdaSerializerAttribute(Type serializerType)
        {
            SerializerType = serializerType;
        }

        public Type SerializerType { get; private set; }
    }
}

namespace Lambdad.Guest
{
    public sealed class RehearsalSerializer
    {
        public T Deserialize<T>(Stream stream)
        {
            var text = new StreamReader(stream, Encoding.UTF8).ReadToEnd();
            return JsonSerializer.Deserialize<T>(text);
        }

        public void Serialize<T>(T value, Stream stream)
        {
            var bytes = JsonSerializer.SerializeToUtf8Bytes(value);
            stream.Write(bytes, 0, bytes.Length);
        }
    }

    public sealed class Rehearsal
    {
        private const int Times = 3;
        private const string Event = "{\"name\": \"x\", \"count\": 1, \"key\": [1, 2.5, \"text\", null, true]}";
        private static readonly string[] Handlers = { nameof(Echo), nameof(Document), nameof(Greet), nameof(Count) };

        public sealed class Person
        {
            public string name { get; set; }
            public int count { get; set; }
            public List<object> key { get; set; }
        }

        public static Stream Echo(Stream input)
        {
            return input;
        }

        [LambdaSerializer(typeof(RehearsalSerializer))]
        public object Document(JsonElement message, ILambdaContext context)
        {
            context.Logger.LogLine(context.AwsRequestId + " " + context.FunctionName);
            Console.WriteLine("{0} {1}", context.RemainingTime, message.GetProperty("count").GetInt32());
            JsonElement found;
            return message.TryGetProperty("key", out found) ? (object)found : null;
        }

        [LambdaSerializer(typeof(RehearsalSerializer))]
        public async Task<Person> Greet(Person person, ILambdaContext context)
        {
            await Task.Yield();
            return new Person { name = $"hello {person.name}", key = person.key };
        }

        [LambdaSerializer(typeof(RehearsalSerializer))]
        public Dictionary<string, string> Count(Dictionary<string, object> members)
        {
            return new Dictionary<string, string> { { "count", members.Count.ToString() } };
        }

        public static void Run()
        {
            var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            server.Listen(1);
            var other = new Thread(() => Answer(server));
            other.Start();
            var output = Console.Out;
            var error = Console.Error;
            Log.Install(Stream.Null);
            var api = new RuntimeApi("127.0.0.1:" + ((IPEndPoint)server.LocalEndPoint).Port);
            var own = typeof(Rehearsal).Assembly.Location;
            foreach (var name in Handlers)
            {
                var handler = Handler.Load(
                    Path.GetFileNameWithoutExtension(own) + "::" + typeof(Rehearsal).FullName + "::" + name,
                    Path.GetDirectoryName(own));
                for (var times = 0; times < Times; times++) Program.Serve(api, handler, api.Next());
            }
            api.Close();
            other.Join();
            server.Close();
            Console.SetOut(output);
            Console.SetError(error);
        }

        private static void Answer(Socket server)
        {
            using (var socket = server.Accept())
            using (var stream = new BufferedStream(new NetworkStream(socket)))
            {
                for (var request = Line(stream); request != ""; request = Line(stream))
                {
                    var size = 0;
                    for (var line = Line(stream); line != ""; line = Line(stream))
                    {
                        if (line.StartsWith("Content-Length:", StringComparison.Ordinal)) size = int.Parse(line.Substring(15));
                    }
                    while (size-- > 0) stream.ReadByte();
                    socket.Send(Encoding.ASCII.GetBytes(request.StartsWith("GET", StringComparison.Ordinal)
                        ? "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
                            + "Lambda-Runtime-Deadline-Ms: 1\r\nLambda-Runtime-Trace-Id: Root=1;Sampled=0\r\n"
                            + "Lambda-Runtime-Invoked-Function-Arn: a\r\nContent-Length: " + Event.Length + "\r\n\r\n" + Event
                        : "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
                }
            }
        }

        private static string Line(Stream stream)
        {
            var line = new StringBuilder();
            for (var next = stream.ReadByte(); next >= 0 && next != '\n'; next = stream.ReadByte())
            {
                if (next != '\r') line.Append((char)next);
            }
            return line.ToString();
        }
    }
}
