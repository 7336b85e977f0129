"""Files for other tools: one module a format, each of which writes a Dataset and reads back what it wrote."""
