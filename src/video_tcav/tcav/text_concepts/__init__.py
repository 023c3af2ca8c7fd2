"""Text CAVs: concepts in words, through an encoder that embeds clips and texts in one space."""
