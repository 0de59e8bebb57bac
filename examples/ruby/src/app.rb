# What stands here runs once for each environment, before its first event.

def handler(event:, context:)
  name = event.fetch('name', 'world')
  puts "greeting #{name} in request #{context.aws_request_id}"
  { greeting: "Hello, #{name}!" }
end
