"""What `facearray.plot.render` draws on the frames of a video, and how the frames become a video again."""
