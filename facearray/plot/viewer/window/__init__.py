"""What a browser window shows, made of Panel's parts. Loaded only when a viewer starts: Panel brings all of Bokeh."""
