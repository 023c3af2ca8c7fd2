"""Attribution maps as pictures, videos and files."""
