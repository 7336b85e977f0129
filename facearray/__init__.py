"""Faces in videos as one labelled dataset."""
