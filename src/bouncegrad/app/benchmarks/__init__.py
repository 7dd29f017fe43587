"""Published tables rerun here: `bouncegrad benchmark accuracy` and `bouncegrad benchmark speed`."""
