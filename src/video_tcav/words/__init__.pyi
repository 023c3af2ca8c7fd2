from .encoder import TextVideoEncoder as TextVideoEncoder
from .encoder_spec import EncoderLoader as EncoderLoader
from .encoder_spec import load_encoder as load_encoder
from .naming import NameSuggestion as NameSuggestion
from .naming import NameSuggestions as NameSuggestions
from .naming import suggest_names as suggest_names
from .word_lists import common_words as common_words
from .word_lists import neutral_prompts as neutral_prompts
