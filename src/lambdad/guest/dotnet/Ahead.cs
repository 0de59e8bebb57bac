// Being started before it is known for which function.
//
// The platform hands over a socket in _LAMBDAD_ASSIGNMENT_FD. This side writes one byte once it is
// ready to be frozen; the other writes the variables of the function, each with a NUL behind it,
// and closes. Only then is there code in /var/task.

using System;
using System.Collections;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Lambdad.Guest
{
    public static class Ahead
    {
        private const string Variable = "_LAMBDAD_ASSIGNMENT_FD";

        // Takes the variables of the function that this process is for, if it was started ahead.
        public static void Wait()
        {
            var announced = Environment.GetEnvironmentVariable(Variable);
            if (announced == null) return;
            Rehearsal.Run();
            IsPlain("{\"runtimeOptions\": {\"framework\": {\"name\": \"x\", \"version\": \"1.0.0\"}}}");
            SetVariable(Variable, "", 1);
            byte[] block;
            using (var handle = new SafeFileHandle(new IntPtr(int.Parse(announced)), true))
            using (var pipe = new FileStream(handle, FileAccess.ReadWrite, 1))
            {
                pipe.WriteByte(0);
                pipe.Flush();
                block = ReadAll(pipe);
            }
            // The platform needs the memory for something else.
            if (block.Length == 0) Environment.Exit(0);
            Take(Encoding.UTF8.GetString(block));
            var name = Environment.GetEnvironmentVariable("_HANDLER") ?? "";
            if (!Fits(name, Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT"))) StartAgain();
        }

        // Whether this process is what the function wants: not a program of its own, and no other
        // settings of .NET than this one was started with.
        private static bool Fits(string handler, string root)
        {
            var end = handler.IndexOf("::", StringComparison.Ordinal);
            if (end < 0) return false;
            var file = Path.Combine(root, handler.Substring(0, end) + ".runtimeconfig.json");
            return !File.Exists(file) || IsPlain(File.ReadAllText(file));
        }

        private static bool IsPlain(string text)
        {
            try
            {
                var comments = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
                using (var document = JsonDocument.Parse(text, comments))
                {
                    foreach (var option in document.RootElement.GetProperty("runtimeOptions").EnumerateObject())
                    {
                        if (option.Name == "tfm") continue;
                        if (option.Name == "framework" && IsOurs(option.Value)) continue;
                        if (option.Name == "configProperties" && Apply(option.Value)) continue;
                        return false;
                    }
                }
                return true;
            }
            catch (Exception)
            {
                // It is for .NET to say what is wrong with it.
                return false;
            }
        }

        private static bool IsOurs(JsonElement framework)
        {
            var version = Version.Parse(framework.GetProperty("version").GetString().Split('-')[0]);
            return framework.GetProperty("name").GetString() == "Microsoft.NETCore.App"
                && version.Major == Environment.Version.Major && version.Minor == Environment.Version.Minor;
        }

        // What build tools write into every file; all others may matter at the start.
        private static bool Apply(JsonElement properties)
        {
            foreach (var property in properties.EnumerateObject())
            {
                if (property.Name != "System.Reflection.Metadata.MetadataUpdater.IsSupported"
                    && property.Name != "System.Runtime.Serialization.EnableUnsafeBinaryFormatterSerialization") return false;
                AppContext.SetSwitch(property.Name, property.Value.GetBoolean());
            }
            return true;
        }

        [DllImport("libc", EntryPoint = "setenv")]
        private static extern int SetVariable(string name, string value, int overwrite);

        [DllImport("libc", EntryPoint = "unsetenv")]
        private static extern int UnsetVariable(string name);

        [DllImport("libc", EntryPoint = "execv")]
        private static extern int Execute(string program, string[] arguments);

        [DllImport("libc", EntryPoint = "signal")]
        private static extern IntPtr Handle(int signal, IntPtr way);

        // Becomes what would have been started had there been nothing ahead.
        private static void StartAgain()
        {
            const int BrokenPipe = 13;
            Handle(BrokenPipe, IntPtr.Zero);
            var script = Environment.GetEnvironmentVariable("LAMBDA_RUNTIME_DIR") + "/bootstrap";
            var dotnet = Environment.GetEnvironmentVariable("DOTNET_ROOT") + "/dotnet";
            Execute("/bin/sh", new[] { "/bin/sh", script, dotnet, null });
            Environment.Exit(1);
        }

        private static byte[] ReadAll(Stream stream)
        {
            var all = new MemoryStream();
            stream.CopyTo(all);
            return all.ToArray();
        }

        private static void Take(string block)
        {
            foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            {
                Environment.SetEnvironmentVariable((string)entry.Key, null);
                UnsetVariable((string)entry.Key);
            }
            foreach (var pair in block.Split(new[] { '\0' }, StringSplitOptions.RemoveEmptyEntries))
            {
                var sign = pair.IndexOf('=');
                var name = pair.Substring(0, sign);
                // .NET has a copy of its own; libraries in C look for theirs.
                Environment.SetEnvironmentVariable(name, pair.Substring(sign + 1));
                SetVariable(name, pair.Substring(sign + 1), 1);
            }
            Directory.SetCurrentDirectory(Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT"));
        }
    }
}
