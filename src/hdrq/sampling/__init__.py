"""Where to cut, and cutting."""
