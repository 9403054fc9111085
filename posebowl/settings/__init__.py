"""Every option, declared once, and where its value comes from."""
