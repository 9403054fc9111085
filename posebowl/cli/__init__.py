"""What is typed, and what is printed."""
