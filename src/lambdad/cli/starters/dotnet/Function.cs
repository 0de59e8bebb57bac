using System;
using System.IO;
using System.Text.Json;

namespace Example
{
    public class Greeting
    {
        public string greeting { get; set; }
    }

    public class Function
    {
        // What stands in the constructor runs once for each environment, before its first event.

        public Stream Handle(Stream input)
        {
            string name = "world";
            using (var json = JsonDocument.Parse(input))
            {
                if (json.RootElement.TryGetProperty("name", out JsonElement given))
                {
                    name = given.GetString();
                }
            }
            Console.WriteLine("greeting " + name);
            var answer = new Greeting { greeting = "Hello, " + name + "!" };
            return new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(answer));
        }
    }
}
