"""One module per subcommand, each with `main(words) -> exit status`."""
