# frozen_string_literal: true

require 'logger'

module LambdadGuest
  # Records of `Logger` say which invocation they belong to, as text or as JSON.
  module Logs
    class << self
      attr_accessor :request_id

      # Applies to every logger of the function that writes to the console.
      def install
        $stdout.sync = true
        $stderr.sync = true
        Logger.prepend(Console)
      end

      def json?
        ENV['AWS_LAMBDA_LOG_FORMAT'] == 'JSON'
      end

      def level
        Logger.const_get(ENV.fetch('AWS_LAMBDA_LOG_LEVEL', 'DEBUG').sub('TRACE', 'DEBUG'))
      rescue NameError
        Logger::DEBUG
      end

      def record(severity, time, program, message)
        stamp = time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6N')
        unless json?
          return format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], stamp, Process.pid, severity,
                        request_id, program, text(message))
        end

        "#{JSON.generate(timestamp: time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%LZ'), level: severity,
                         requestId: request_id, message: text(message))}\n"
      end

      private

      def text(message)
        case message
        when String then message
        when Exception then "#{message.message} (#{message.class})\n#{(message.backtrace || []).join("\n")}"
        else message.inspect
        end
      end
    end

    # Gives new loggers of the console the platform's format and level.
    module Console
      def initialize(place = nil, *rest, **options)
        super
        return unless [$stdout, $stderr, STDOUT, STDERR].include?(place)

        self.formatter = Logs.method(:record) unless options[:formatter]
        self.level = Logs.level if Logs.json? && !options[:level]
      end
    end
  end
end
