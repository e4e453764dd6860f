"""What an operator sets off: a headless pass, the running platform, the demo. The command line only calls these."""
