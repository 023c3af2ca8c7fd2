"""`python -m video_tcav` is the command `video-tcav`."""

from video_tcav.cli.app import main

main()
