// The Runtime API over one keep-alive connection: a small HTTP client on a socket, which starts
// faster than HttpClient.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lambdad.Guest
{
    public sealed class Event
    {
        public Dictionary<string, string> Headers;
        public byte[] Body;

        public string RequestId
        {
            get { return Header("lambda-runtime-aws-request-id"); }
        }

        public string Header(string name)
        {
            string value;
            return Headers.TryGetValue(name, out value) ? value : null;
        }
    }

    public sealed class RuntimeApi
    {
        private const string Prefix = "/2018-06-01/runtime/";
        private readonly string address;
        private Socket socket;
        private byte[] buffer = new byte[16 * 1024];
        private int start;
        private int end;

        public RuntimeApi(string address)
        {
            this.address = address;
        }

        // Waits for the next event.
        public Event Next()
        {
            Event answer;
            var status = Exchange("GET " + Prefix + "invocation/next HTTP/1.1\r\nHost: " + address + "\r\n\r\n", null, out answer);
            if (status != 200) GiveUp();
            return answer;
        }

        public void Respond(string requestId, MemoryStream body)
        {
            Post("invocation/" + requestId + "/response", "", body.ToArray());
        }

        public void Fail(string requestId, string type, byte[] document)
        {
            PostError("invocation/" + requestId + "/error", type, document);
        }

        public void FailInit(string type, byte[] document)
        {
            PostError("init/error", type, document);
        }

        public void Close()
        {
            socket.Close();
        }

        private void PostError(string path, string type, byte[] document)
        {
            // Whatever a function calls its error, it cannot add header lines.
            var plain = new StringBuilder();
            foreach (var letter in type) if (letter < 128 && char.IsLetterOrDigit(letter)) plain.Append(letter);
            Post(path, "Lambda-Runtime-Function-Error-Type: " + plain + "\r\n", document);
        }

        private void Post(string path, string headers, byte[] body)
        {
            Event answer;
            Exchange(
                "POST " + Prefix + path + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\n"
                    + "Content-Length: " + body.Length + "\r\n" + headers + "\r\n",
                body,
                out answer);
        }

        private int Exchange(string head, byte[] body, out Event answer)
        {
            try
            {
                if (socket == null) Connect();
                Send(Encoding.ASCII.GetBytes(head));
                if (body != null) Send(body);
                return Receive(out answer);
            }
            catch (SocketException)
            {
                GiveUp();
                throw;
            }
        }

        private void Connect()
        {
            var colon = address.LastIndexOf(':');
            socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(IPAddress.Parse(address.Substring(0, colon)), int.Parse(address.Substring(colon + 1)));
            start = end = 0;
        }

        private void Send(byte[] data)
        {
            for (var sent = 0; sent < data.Length;) sent += socket.Send(data, sent, data.Length - sent, SocketFlags.None);
        }

        // The platform has given this environment up: nobody is left to be told more.
        private static void GiveUp()
        {
            Environment.Exit(1);
        }

        private int Receive(out Event answer)
        {
            answer = new Event { Headers = new Dictionary<string, string>() };
            var status = int.Parse(Line().Split(' ')[1]);
            for (var line = Line(); line.Length > 0; line = Line())
            {
                var colon = line.IndexOf(':');
                answer.Headers[line.Substring(0, colon).ToLowerInvariant()] = line.Substring(colon + 1).Trim();
            }
            var size = answer.Header("content-length");
            answer.Body = Read(size == null ? 0 : int.Parse(size));
            if (answer.Header("connection") == "close")
            {
                socket.Close();
                socket = null;
            }
            return status;
        }

        private byte[] Read(int size)
        {
            var body = new byte[size];
            var have = Math.Min(size, end - start);
            Buffer.BlockCopy(buffer, start, body, 0, have);
            start += have;
            while (have < size)
            {
                var count = socket.Receive(body, have, size - have, SocketFlags.None);
                if (count == 0) GiveUp();
                have += count;
            }
            return body;
        }

        private string Line()
        {
            var seen = start;
            while (true)
            {
                var found = Array.IndexOf(buffer, (byte)'\n', seen, end - seen);
                if (found >= 0)
                {
                    // Header values may be UTF-8: a client context is JSON text.
                    var line = Encoding.UTF8.GetString(buffer, start, found - start).TrimEnd('\r');
                    start = found + 1;
                    return line;
                }
                Fill();
                seen = start;
            }
        }

        private void Fill()
        {
            if (start > 0)
            {
                Buffer.BlockCopy(buffer, start, buffer, 0, end - start);
                end -= start;
                start = 0;
            }
            if (end == buffer.Length) Array.Resize(ref buffer, 2 * buffer.Length);
            var count = socket.Receive(buffer, end, buffer.Length - end, SocketFlags.None);
            if (count == 0) GiveUp();
            end += count;
        }
    }
}
