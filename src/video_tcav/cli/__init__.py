"""The command `video-tcav`: parse, call a public function, print. Engines load when a command needs them."""
