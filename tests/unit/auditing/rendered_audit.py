"""Rendered clips with exact masks, for tests of audits."""

from video_tcav.core.errors import MediaError
from video_tcav.masks import ClipMasks, MaskSource
from video_tcav.rendered import render, rule_of


class ExactMasks(MaskSource):
    """The rendered world's own masks; clips named in `empty` have nobody in them, those in `partial` only in some frames."""

    def __init__(self, rendered, *, empty=(), partial=(), objects=True):
        self.name, self.rendered, self.empty, self.objects, self.calls = "exact", rendered, set(empty), objects, []
        self.partial = set(partial)

    def masks(self, loaded):
        key = loaded.source.key
        self.calls.append(key)
        if key in self.empty:
            raise MediaError(loaded.source.path, "no person was found in the clip")
        clip = self.rendered[key]
        person = clip.mask("figure")
        if key in self.partial:
            person[len(person) // 4 :] = False
        return (ClipMasks(person=person, object=clip.mask("object") if self.objects else None, how="exact"),)


def rendered_clips(rule_name, count, *, seed=0):
    """Clips by class, and what was rendered by the name of the clip."""
    rule = rule_of(rule_name)
    factors, labels = rule.sample(count, seed=seed)
    clips, rendered = {}, {}
    for number, (each, label) in enumerate(zip(factors, labels, strict=True)):
        name = f"clip {number}"
        rendered[name] = render(each)
        clips.setdefault(rule.labels[label], []).append((name, rendered[name].clip))
    return clips, rendered
