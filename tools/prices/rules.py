"""Match rules of the source as the anchored forms that the price book knows.

    =name     the whole name
    ^prefix   starts with; a prefix that ends in a digit is not followed by another
    !prefix   likewise, but the name has no segment `-tts`
    #prefix   starts with, and a digit follows
    ~prefix   as ^, also after a region and a dot (`us.`, `eu.` ...)
    @name     the name, then a date: `-20260102`, `-2026-01-02` or `@20260102`

The source also has unanchored rules (`contains`, `ends_with`). Each is turned into an anchored form here, provider by
provider, and what has no anchored form stops the script: a new release of the source is looked at, not guessed at.
"""

import re

from genai_prices import types as t

# Prefixes that end in a part of a number.
OPEN = {"claude-sonnet-4-2025", "gpt-4-0", "ft:gpt-4-0", "gemini-2.0-flash-0", "gemini-2.5-flash-preview-0"}
NOT_SPOKEN = "^(?!.*-[tT][tT][sS](?:$|-))"
REGION = re.compile(r"^(us|eu|apac|au|jp|in|us-gov|ca|global)\.")


class Unknown(Exception):
    pass


def starts(prefix):
    return ("#" if prefix in OPEN else "^") + prefix


def contains(provider, needle):
    if provider == "aws":
        if REGION.match(needle):
            return [starts(needle)]
        if needle.startswith("claude-"):
            return ["~anthropic." + needle, "^" + needle]
        if needle.startswith("titan-"):
            return ["~amazon." + needle, "^" + needle]
        return ["~" + needle]
    if provider == "openai" and needle == "moderation":
        return ["^moderation", "^text-moderation", "^omni-moderation"]
    if provider == "cohere" and needle.startswith("aya-expanse"):
        return ["^" + needle, "^c4ai-" + needle]
    if provider == "minimax":
        return ["^" + needle, "^minimax-" + needle]
    if (provider, needle) in {("azure", "o4-mini"), ("azure", "o4-mini-2025-04-16"), ("anthropic", "claude-v2")}:
        return ["^" + needle]
    if provider == "google" and needle.startswith(("claude-", "gemini-")):
        return [starts(needle)]
    raise Unknown(f"{provider}: contains {needle!r}")


def ends(provider, needle):
    if provider == "aws":
        if needle.startswith("/"):
            return ["=" + needle[1:]]
        return ["=" + needle]
    if provider == "google":
        return ["=" + needle]
    raise Unknown(f"{provider}: ends with {needle!r}")


def regex(provider, text):
    body = text[1:]
    if not text.startswith("^"):
        raise Unknown(f"{provider}: {text}")
    optional = re.fullmatch(r"\(typesafe/\)\?([\w\\.-]+)\(-\\d\{8\}\)\?\$", body)
    if optional:
        name = optional[1].replace("\\.", ".")
        return [f"{kind}{prefix}{name}" for kind in "=@" for prefix in ("", "typesafe/")]
    for end in (r"-\d{8}$", r"-\d{4}-\d{2}-\d{2}$", r"[-@]\d{8}$"):
        if body.endswith(end):
            return ["@" + plain(provider, body[: -len(end)])]
    if body.endswith(r"\d"):
        return ["#" + plain(provider, body[:-2])]
    if body.endswith("$"):
        return ["=" + plain(provider, body[:-1])]
    raise Unknown(f"{provider}: {text}")


def plain(provider, text):
    """A regular expression that is a literal, as that literal."""
    text = re.sub(r"\\([.\[\]])", r"\1", text)
    if re.search(r"[\\^$*+?{}|()]", text):
        raise Unknown(f"{provider}: {text}")
    return text


def anchored(provider, clause):
    """The forms of one clause, in lower case, in a stable order, each once."""
    if isinstance(clause, t.ClauseOr):
        found = [form for part in clause.or_ for form in anchored(provider, part)]
    elif isinstance(clause, t.ClauseAnd):
        prefix, rest = clause.and_
        if not (isinstance(prefix, t.ClauseStartsWith) and isinstance(rest, t.ClauseRegex) and rest.regex == NOT_SPOKEN):
            raise Unknown(f"{provider}: {clause}")
        found = ["!" + prefix.starts_with]
    elif isinstance(clause, t.ClauseEquals):
        found = ["=" + clause.equals]
    elif isinstance(clause, t.ClauseStartsWith):
        found = [starts(clause.starts_with)]
    elif isinstance(clause, t.ClauseEndsWith):
        found = ends(provider, clause.ends_with)
    elif isinstance(clause, t.ClauseContains):
        found = contains(provider, clause.contains)
    elif isinstance(clause, t.ClauseRegex):
        found = regex(provider, clause.regex)
    else:
        raise Unknown(f"{provider}: {clause}")
    return list(dict.fromkeys(form.lower() for form in found))
