"""AWS for the tests: moto's server, extended where moto lacks what AWS documents."""
