"""Proposals by words: windows of videos that an encoder finds like a text, put into a bank for a person to judge."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from video_tcav._version import __version__
from video_tcav.concepts import ConceptBank, Origin
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import at_least
from video_tcav.core.errors import MediaError
from video_tcav.core.progress import progress_bar
from video_tcav.gram.corrections import adjust
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import Skipped, read_frames
from video_tcav.media.loader import segment_frames
from video_tcav.media.timeline import read_timeline
from video_tcav.proposals.bank_writer import concept_of
from video_tcav.proposals.cutting import Frames, evenly, shrunk
from video_tcav.proposals.text_search_result import TextMatch, TextProposals, TextSearch
from video_tcav.words.encoder import TextVideoEncoder
from video_tcav.words.encoder_spec import load_encoder
from video_tcav.words.text_scores import TextRows, clip_p, presence_p, text_scores
from video_tcav.words.windows import EmbeddedWindows, Window, embed_windows, video_sources
from video_tcav.words.word_lists import TEMPLATE, checked_texts, other_words

_NEARER = 3  # words that are named beside a text
_SIDE_PX = 224  # shorter side of a clip in the bank, as of tubes


def propose_by_text(
    videos: Sources,
    bank: ConceptBank | str | Path,
    *,
    texts: Sequence[str],
    encoder: TextVideoEncoder | str,
    top: int = 20,
    length_s: float = 2.0,
    stride_s: float | None = None,
    words: Sequence[str] | None = None,
    template: str = TEMPLATE,
    device: str = "auto",
    keep: bool = True,
    progress: bool = False,
) -> TextProposals:
    """Find clips of concepts in videos by words, and put them into a bank as open proposals; a person decides about them.

    Videos are cut into windows, and each is embedded once. A window's score is its cosine with the text, less its mean with
    neutral prompts. Something is always the nearest, so the best windows' scores are compared with those of a thousand other
    words, and nothing is proposed of a text that does not stand out among these.

    Args:
        videos: files, folders, globs or manifests; images are left out.
        bank: where to, made if there is none.
        texts: concepts in a few words each, such as "swinging a racket".
        encoder: from `load_encoder`, or a spec for it.
        top: how many windows of each text at most.
        length_s: of a window.
        stride_s: from one window's start to the next; half of the length if not given.
        words: that texts are compared with; `common_words()` if not given.
        template: the sentence around each text and word.
        device: where an encoder that is named by a spec runs.
        keep: whether embeddings are kept on disk, by the content of videos and encoder.
        progress: whether to show a bar.

    Raises:
        SourceError: if there is no video.
        InputError: if a setting is not possible, or no video can be used.
        BankError: if the bank cannot be opened.
        OutputError: if it cannot be written to.

    Returns:
        What was found of each text, and what is new in the bank.
    """
    at_least("top", top, 1)
    texts = checked_texts(texts)
    compared = other_words(words, texts)
    sources = video_sources(videos)
    tower = load_encoder(encoder, device=device) if isinstance(encoder, str) else encoder
    embedded_texts = TextRows.embed(tower, texts, compared, template=template, keep=keep)
    with ConceptBank.opened(bank, create=True) as opened:
        embedded = embed_windows(tower, sources, length_s=length_s, stride_s=stride_s, keep=keep, progress=progress)
        scores = text_scores(embedded.rows, embedded_texts.texts, embedded_texts.neutral)
        word_scores = text_scores(embedded.rows, embedded_texts.words, embedded_texts.neutral)
        p_values = presence_p(scores, word_scores).tolist()
        searches, skipped = [], list(embedded.skipped)
        facts = {"name": "text", "video_tcav": __version__, "encoder": tower.name, "template": template}
        for text, column, p_value, adjusted in zip(texts, scores.T, p_values, adjust(p_values, "holm"), strict=True):
            chosen = _chosen(embedded, column, word_scores, top) if adjusted <= LEVEL else []
            search = TextSearch(
                text=text,
                concept=concept_of(text),
                p_value=p_value,
                p_adjusted=adjusted,
                stands_out=adjusted <= LEVEL,
                nearer_words=_nearer(column, word_scores, compared),
                matches=tuple(match for _, match in chosen),
            )
            with progress_bar(f"cutting (clips of {text})", len(chosen), visible=progress and bool(chosen)) as advance:
                added = 0
                for window, match in chosen:
                    added += _add(opened, window, match, search, facts, skipped)
                    advance(1)
            searches.append(replace(search, added=added))
    return TextProposals(
        searches=tuple(searches),
        encoder=tower.name,
        windows=len(embedded.windows),
        videos=len({window.video_digest for window in embedded.windows}),
        words=len(compared),
        skipped=tuple(dict.fromkeys(skipped)),
    )


def _nearer(
    scores: Float[np.ndarray, " window"], word_scores: Float[np.ndarray, "window word"], words: Sequence[str]
) -> tuple[str, ...]:
    """Words that the text's best window is more like than the text."""
    best = int(np.argmax(scores))
    order = np.argsort(-word_scores[best], kind="stable")[:_NEARER]
    return tuple(words[int(at)] for at in order if word_scores[best, at] > scores[best])


def _chosen(
    embedded: EmbeddedWindows,
    scores: Float[np.ndarray, " window"],
    word_scores: Float[np.ndarray, "window word"],
    top: int,
) -> list[tuple[Window, TextMatch]]:
    """The best windows that do not overlap, and are more like the text than like most other words."""
    shares, chosen = clip_p(scores, word_scores), list[tuple[Window, TextMatch]]()
    for at in np.argsort(-scores, kind="stable").tolist():
        window = embedded.windows[at]
        if len(chosen) == top:
            break
        if shares[at] > LEVEL or any(_overlap(window, earlier) for earlier, _ in chosen):
            continue
        match = TextMatch(
            path=str(window.source.path),
            start_s=window.start_s,
            end_s=window.end_s,
            rank=len(chosen) + 1,
            score=float(scores[at]),
            word_p=float(shares[at]),
        )
        chosen.append((window, match))
    return chosen


def _overlap(first: Window, second: Window) -> bool:
    # ends of windows are sums of floats: a microsecond in common is none
    shared_s = min(first.end_s, second.end_s) - max(first.start_s, second.start_s)
    return first.video_digest == second.video_digest and shared_s > 1e-6


def _add(
    bank: ConceptBank,
    window: Window,
    match: TextMatch,
    search: TextSearch,
    facts: dict[str, Any],
    skipped: list[Skipped],
) -> bool:
    """Cut a window into the bank unless it is there; whether it is new."""
    span = f"{window.video_digest} {search.text} {window.start_s:.6f} {window.end_s:.6f}"
    tube = hashlib.sha256(span.encode()).hexdigest()[:16]
    if bank.has(video_digest=window.video_digest, tube=tube, kind="moving"):
        return False
    try:
        clip, times_s, fps = _cut(window)
    except MediaError as error:
        skipped.append(Skipped(path=str(error.path), reason=error.reason))
        return False
    origin = Origin(
        video=str(window.source.path.absolute()),
        video_digest=window.video_digest,
        start_s=window.start_s,
        end_s=window.end_s,
        times_s=times_s,
        boxes=(),
        label=search.text,
        score=1 - match.word_p,  # what comes nearest to a confidence: the share of words that it is less like
        proposer={
            **facts,
            "rank": match.rank,
            "text_score": round(match.score, 6),
            "word_p": match.word_p,
            "p_adjusted": search.p_adjusted,
        },
    )
    # the order of review is that of likeness
    bank.add(
        clip, fps=fps, concept=search.concept, kind="moving", origin=origin, tube=tube, quality=round(match.score, 6)
    )
    return True


def _cut(window: Window) -> tuple[Frames, tuple[float, ...], float]:
    """The window's whole pictures at a constant rate, the times they are of, and the rate."""
    timeline = read_timeline(window.source)
    first, last = segment_frames(window.source, timeline)
    fps = 1 / timeline.interval_s
    indices = first + evenly(timeline.timestamps_s[first:last], window.end_s, fps)
    frames = read_frames(window.source, indices, timeline=timeline)
    pictures = [shrunk(frame.permute(1, 2, 0).numpy(), _SIDE_PX) for frame in frames]
    clip = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return clip, tuple(timeline.timestamps_s[indices].tolist()), fps
