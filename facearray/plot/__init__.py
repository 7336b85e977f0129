"""HoloViews pictures and the report."""
