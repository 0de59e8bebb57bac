"""WebSocket APIs: connections, what their messages lead to, and how functions answer them."""
