# frozen_string_literal: true

# Entry point of a Ruby runtime process: load the handler, then one event after another.
# Standard library only.

require 'json'
require_relative 'client'
require_relative 'context'
require_relative 'handler'
require_relative 'logs'

module LambdadGuest
  # Serves one function until the platform ends the process.
  class Loop
    # These end the process; whatever else a handler raises is its answer.
    FATAL = [NoMemoryError, SystemExit, SignalException].freeze

    def initialize
      @api = RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
    end

    def run
      handler = load
      loop do
        headers, body = @api.next
        serve(handler, headers, body)
      end
    end

    private

    def load
      Logs.install
      Handler.new(ENV['_HANDLER'].to_s, ENV.fetch('LAMBDA_TASK_ROOT', '/var/task'))
    rescue Exception => error # rubocop:disable Lint/RescueException -- also syntax errors and exits
      failure = Failure.new(error, 'Init')
      document = JSON.generate(failure.document)
      puts "Init error when loading handler #{ENV['_HANDLER']}", document
      @api.fail_init(failure.type, document)
      exit!(1)
    end

    def serve(handler, headers, body)
      context = Context.new(headers)
      Logs.request_id = context.aws_request_id
      trace = headers['lambda-runtime-trace-id']
      trace ? ENV['_X_AMZN_TRACE_ID'] = trace : ENV.delete('_X_AMZN_TRACE_ID')
      event = JSON.parse(body.force_encoding(Encoding::UTF_8))
      answer(context.aws_request_id, handler.call(event, context))
    rescue Exception => error # rubocop:disable Lint/RescueException -- the fatal ones are told too
      fail(context.aws_request_id, error)
    end

    def answer(request_id, result)
      if result.respond_to?(:read)
        @api.respond(request_id, result.read, 'application/unknown')
      else
        @api.respond(request_id, JSON.generate(result), 'application/json')
      end
    end

    def fail(request_id, error)
      failure = Failure.new(error, 'Function')
      document = JSON.generate(failure.document)
      puts "Error raised from handler method", document
      @api.fail(request_id, failure.type, document)
      exit!(1) if FATAL.any? { |kind| error.is_a?(kind) }
    end
  end
end

if ENV.key?('_LAMBDAD_ASSIGNMENT_FD')
  require_relative 'ahead'
  LambdadGuest::Ahead.wait
end
LambdadGuest::Loop.new.run
