"""The modules of the server, a package each, with its tests beside it."""
