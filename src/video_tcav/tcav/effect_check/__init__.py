"""Effect check: how well do effects predict what plain edits of the user's own clips do to the target?"""
