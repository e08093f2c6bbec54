"""The demo: a small stand-in for TMDb with hand-written facts, and what `make demo` runs on it."""
