// From the configured handler, `Assembly::Namespace.Type::Method`, to a call.

using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;
using System.Threading.Tasks;

namespace Lambdad.Guest
{
    // The configuration names what is not there. AWS's name, which callers see.
    public sealed class LambdaValidationException : Exception
    {
        public LambdaValidationException(string message)
            : base(message)
        {
        }
    }

    public sealed class Handler
    {
        private const string ContextInterface = "Amazon.Lambda.Core.ILambdaContext";
        private const string SerializerAttribute = "Amazon.Lambda.Core.LambdaSerializerAttribute";

        private readonly MethodInfo method;
        private readonly object target;
        private readonly object serializer;

        private Handler(MethodInfo method, object target)
        {
            this.method = method;
            this.target = target;
            serializer = SerializerOf(method);
        }

        public static Handler Load(string name, string root)
        {
            var parts = name.Split(new[] { "::" }, StringSplitOptions.None);
            if (parts.Length != 3 || parts.Any(string.IsNullOrWhiteSpace))
            {
                throw new LambdaValidationException(
                    "The valid format of a handler is 'ASSEMBLY::TYPE::METHOD'. The given handler is '" + name + "'.");
            }
            var assembly = LoadAssembly(parts[0], root);
            var type = assembly.GetType(parts[1]);
            if (type == null)
            {
                throw new LambdaValidationException("Unable to load type '" + parts[1] + "' from assembly '" + parts[0] + "'.");
            }
            var method = FindMethod(type, parts[2]);
            if (method == null)
            {
                throw new LambdaValidationException(
                    "Unable to find method '" + parts[2] + "' in type '" + parts[1] + "' from assembly '" + parts[0] + "'.");
            }
            return new Handler(method, method.IsStatic ? null : Activator.CreateInstance(type));
        }

        public MemoryStream Call(Event next)
        {
            var input = new MemoryStream(next.Body);
            var arguments = method.GetParameters().Select(parameter => Argument(parameter.ParameterType, input, next)).ToArray();
            var result = method.Invoke(target, arguments);
            var kind = method.ReturnType;
            if (result is Task)
            {
                ((Task)result).GetAwaiter().GetResult();
                kind = kind.IsGenericType ? kind.GetGenericArguments()[0] : typeof(void);
                result = kind == typeof(void) ? null : result.GetType().GetProperty("Result").GetValue(result);
            }
            return Answer(kind, result);
        }

        private object Argument(Type kind, Stream input, Event next)
        {
            if (kind.FullName == ContextInterface) return Context.Of(kind, next);
            if (kind == typeof(Stream)) return input;
            return Convert("Deserialize", kind, "deserialize input data", input);
        }

        private MemoryStream Answer(Type kind, object result)
        {
            var output = new MemoryStream();
            if (kind == typeof(void)) return output;
            if (result is Stream) ((Stream)result).CopyTo(output);
            else Convert("Serialize", kind, "serialize output data", result, output);
            return output;
        }

        private object Convert(string name, Type kind, string purpose, params object[] arguments)
        {
            if (serializer == null)
            {
                throw new LambdaValidationException(
                    "Could not find the LambdaSerializerAttribute on the assembly '" + method.DeclaringType.Assembly.GetName().Name
                    + "' or method '" + method.Name + "' while trying to " + purpose + " of type '" + kind.FullName
                    + "'. To use types other than System.IO.Stream as an input/output parameter, the assembly or Lambda "
                    + "function should be annotated with Amazon.Lambda.Core.LambdaSerializerAttribute.");
            }
            var convert = serializer.GetType().GetMethods().First(item => item.Name == name && item.IsGenericMethod);
            return convert.MakeGenericMethod(kind).Invoke(serializer, arguments);
        }

        private static object SerializerOf(MethodInfo method)
        {
            var attribute = method.GetCustomAttributes(true).Concat(method.DeclaringType.Assembly.GetCustomAttributes())
                .FirstOrDefault(item => item.GetType().FullName == SerializerAttribute);
            if (attribute == null) return null;
            return Activator.CreateInstance((Type)attribute.GetType().GetProperty("SerializerType").GetValue(attribute));
        }

        private static MethodInfo FindMethod(Type type, string name)
        {
            const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;
            var found = type.GetMethods(Any | BindingFlags.FlattenHierarchy).Where(method => method.Name == name).ToArray();
            if (found.Length > 1)
            {
                throw new LambdaValidationException(
                    "The method '" + name + "' in type '" + type.FullName + "' appears more than once. "
                    + "Handler methods must have a name of their own.");
            }
            return found.FirstOrDefault();
        }

        private static Assembly LoadAssembly(string name, string root)
        {
            var file = Path.Combine(root, name + ".dll");
            if (!File.Exists(file))
            {
                throw new LambdaValidationException(
                    "Could not find the specified handler assembly with the file name '" + name
                    + "'. The assembly should be located in the root of your uploaded .zip file.");
            }
            var resolver = new AssemblyDependencyResolver(file);
            var context = AssemblyLoadContext.Default;
            context.Resolving += (_, wanted) =>
            {
                var place = resolver.ResolveAssemblyToPath(wanted) ?? Path.Combine(root, wanted.Name + ".dll");
                return File.Exists(place) ? context.LoadFromAssemblyPath(place) : null;
            };
            context.ResolvingUnmanagedDll += (_, wanted) =>
            {
                var place = resolver.ResolveUnmanagedDllToPath(wanted);
                return place == null ? IntPtr.Zero : System.Runtime.InteropServices.NativeLibrary.Load(place);
            };
            return context.LoadFromAssemblyPath(file);
        }
    }
}
