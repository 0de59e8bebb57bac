"""Container images: fetched, verified, unpacked once by content, and laid together to roots."""
