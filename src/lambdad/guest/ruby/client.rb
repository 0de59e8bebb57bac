# frozen_string_literal: true

# The Runtime API over one keep-alive connection: a small HTTP client on a socket, which starts
# faster than net/http.

require 'socket'

module LambdadGuest
  # Asks for events and answers them.
  class RuntimeApi
    PREFIX = '/2018-06-01/runtime/'

    def initialize(address)
      @address = address
      @socket = nil
    end

    # Waits for the next event; gives its headers, names in lower case, and its bytes.
    def next
      status, headers, body = exchange("GET #{PREFIX}invocation/next HTTP/1.1\r\nHost: #{@address}\r\n\r\n")
      exit!(1) unless status == 200
      [headers, body]
    end

    # Posts an answer; gives the HTTP status: 202, or 413 when it is too large.
    def respond(request_id, body, content_type)
      post("invocation/#{request_id}/response", body, "Content-Type: #{content_type}\r\n")
    end

    def fail(request_id, type, body)
      post_error("invocation/#{request_id}/error", type, body)
    end

    def fail_init(type, body)
      post_error('init/error', type, body)
    end

    def close
      @socket.close
    end

    private

    def post_error(path, type, body)
      # Whatever a function calls its error, it cannot add header lines.
      plain = type.gsub(/[^A-Za-z0-9._<>:]/, '')
      post(path, body, "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: #{plain}\r\n")
    end

    def post(path, body, headers)
      head = "POST #{PREFIX}#{path} HTTP/1.1\r\nHost: #{@address}\r\n" \
             "Content-Length: #{body.bytesize}\r\n#{headers}\r\n"
      exchange(head, body).first
    end

    def exchange(head, body = nil)
      @socket ||= connect
      @socket.write(head, *body)
      read_answer
    rescue SystemCallError, EOFError
      # The platform has given this environment up: nobody is left to be told more.
      exit!(1)
    end

    def connect
      host, _, port = @address.rpartition(':')
      socket = TCPSocket.new(host, port.to_i)
      socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      socket
    end

    def read_answer
      status = line.split(' ', 3)[1].to_i
      headers = {}
      until (text = line).empty?
        name, value = text.split(':', 2)
        headers[name.downcase] = value.strip
      end
      size = headers['content-length'].to_i
      body = size.zero? ? +'' : @socket.read(size)
      raise EOFError if body.nil? || body.bytesize < size

      if headers['connection'] == 'close'
        @socket.close
        @socket = nil
      end
      [status, headers, body]
    end

    def line
      text = @socket.gets("\r\n") or raise EOFError
      # Header values may be UTF-8: a client context is JSON text.
      text.chomp("\r\n").force_encoding(Encoding::UTF_8)
    end
  end
end
