# frozen_string_literal: true

module LambdadGuest
  # A failure of the function, as its caller is told of it.
  class Failure
    attr_reader :type

    # `stage` is `Function` or `Init`.
    def initialize(error, stage)
      @error = error
      @type = "#{stage}<#{error.class.name}>"
    end

    def document
      trace = (@error.backtrace || []).reject { |line| line.start_with?("#{__dir__}/") }
      { errorMessage: text(@error.message), errorType: @type, stackTrace: trace.map { |line| text(line) } }
    end

    private

    # Messages may hold bytes of any kind; JSON may not.
    def text(value)
      value = value.to_s
      value.encoding == Encoding::UTF_8 ? value.scrub : value.encode(Encoding::UTF_8, invalid: :replace, undef: :replace)
    end
  end

  # The configured handler: `file.method` or `file.Class.method`.
  class Handler
    def initialize(name, root)
      file, *constants, @method = name.split('.')
      raise ArgumentError, "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD " \
                           'where FILENAME corresponds with an existing Ruby source file FILENAME.rb, ' \
                           'CLASS is an optional module/class namespace and METHOD is a callable method' \
        unless file && @method && constants.length < 2

      require File.expand_path(file, root)
      # What a file defines at its top level is a private method of every object.
      @target = constants.empty? ? Kernel : constants.first.split('::').inject(Object) { |at, key| at.const_get(key) }
    end

    def call(event, context)
      @target.send(@method, event: event, context: context)
    end
  end
end
