"""How the demo looks: a theme and a style sheet, light and dark, with nothing fetched from elsewhere.

Notable: the words' two colours are blue and orange, which people tell apart with any colour vision, in tints on which
the text keeps a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3) anywhere between them; a test measures it.
"""

import gradio


def theme() -> gradio.themes.Base:
    """Gradio's own, calmer, in the fonts of the reader's system."""
    return gradio.themes.Soft(
        primary_hue="blue",
        neutral_hue="slate",
        font=["ui-sans-serif", "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


CSS = """
.gradio-container { --mm-certain: #8bbcfa; --mm-doubtful: #ffba70; --mm-text: #0f172a; --mm-alarm: #b91c1c; }
.dark .gradio-container, .dark.gradio-container, .gradio-container.dark {
  --mm-certain: #1c57a8; --mm-doubtful: #96480f; --mm-text: #ffffff; --mm-alarm: #fca5a5;
}
.mm-sentence { position: relative; font-size: 1.5rem; line-height: 2.1; margin: 0 0 3rem; }
.mm-word {
  padding: .12em .28em; border-radius: .3em; cursor: help; color: var(--mm-text);
  background: color-mix(in oklab, var(--mm-certain) var(--sure), var(--mm-doubtful));
}
.mm-word:hover, .mm-word:focus { outline: 2px solid var(--body-text-color); }
.mm-figure {
  position: absolute; left: 0; top: calc(100% + .4rem); visibility: hidden; font-size: .9375rem; line-height: 1.4;
  color: var(--body-text-color);
}
.mm-word:hover .mm-figure, .mm-word:focus:not(.mm-sentence:hover *) .mm-figure { visibility: visible; }
.mm-legend { font-size: .8125rem; max-width: 26rem; margin: 0 0 1.5rem; }
.mm-scale {
  height: .7rem; border-radius: .35rem; margin-top: .4rem;
  background: linear-gradient(in oklab 90deg, var(--mm-doubtful), var(--mm-certain));
}
.mm-ticks { display: flex; justify-content: space-between; }
.mm-confidence { font-size: .875rem; max-width: 34rem; margin: 0; }
.mm-confidence strong { display: block; font-size: 1.0625rem; }
.mm-problem { color: var(--mm-alarm); font-size: 1.0625rem; margin: 0; overflow-wrap: anywhere; }
.mm-facts { font-size: .875rem; margin: 1rem 0 0; }
.mm-given { color: var(--body-text-color-subdued); }
.mm-now { font-size: 1.25rem; margin: .75rem 0 0; }
.mm-pieces { border-collapse: collapse; width: 100%; margin: 0 0 .75rem; }
.mm-pieces th, .mm-pieces td { text-align: left; padding: .2rem .75rem .2rem 0; }
.mm-pieces th { font-size: .8125rem; font-weight: 600; }
.mm-pieces td:not(:nth-child(2)) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.mm-bar {
  display: inline-block; height: .7rem; width: calc(6rem * var(--share)); margin-right: .5rem; border-radius: .35rem;
  background: var(--mm-certain);
}
.mm-hint { font-size: 1.0625rem; margin: 0; }
.mm-where { display: flex; flex-wrap: wrap; gap: .75rem; }
.mm-where figure { margin: 0; text-align: center; }
.mm-where img { border-radius: .35rem; max-width: 100%; }
.mm-merged { padding: 0 .4em; border-radius: .3em; color: var(--mm-text); background: var(--mm-doubtful); }
.mm-text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 0; }
.mm-name { overflow-wrap: anywhere; }
.mm-moments, .mm-sources { display: grid; gap: .75rem; list-style: none; padding: 0; margin: 0; }
.mm-moments { grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
.mm-moment {
  display: flex; flex-direction: column; align-items: flex-start; gap: .15rem; margin: 0; padding: .5rem;
  font-size: .8125rem; border: 1px solid var(--border-color-primary); border-radius: .35rem;
}
.mm-moment img { width: 100%; height: 6rem; object-fit: cover; border-radius: .25rem; margin: 0; }
.mm-kind { font-weight: 600; }
.mm-when { font-variant-numeric: tabular-nums; }
.mm-said { margin: 0; overflow-wrap: anywhere; }
blockquote.mm-said { font-size: 1.0625rem; padding-left: .75rem; border-left: 3px solid var(--mm-certain); }
a.mm-word { text-decoration: none; }
a.mm-word[href] { text-decoration: underline 2px; text-underline-offset: .2em; }
@media (max-width: 480px) { .mm-around { margin-inline: -1.6rem; } } /* a phone has no room to spare */
.mm-source { margin: 0; padding: .5rem; border: 2px solid transparent; border-radius: .35rem; }
.mm-result summary { cursor: pointer; font-size: .875rem; margin: .5rem 0; }
.mm-source:target { border-color: var(--mm-certain); }
.mm-source video { max-height: 16rem; max-width: 100%; }
.mm-source audio { width: min(100%, 24rem); }
.mm-source .mm-facts { margin: .25rem 0 0; }
.mm-checks { border: 0; border-collapse: collapse; margin: .5rem 0 0; }
.mm-checks th, .mm-checks td {
  text-align: left; padding: .15rem .75rem .15rem 0; font-size: .8125rem;
  border: 0; border-bottom: 1px solid var(--border-color-primary);
}
#examples .grid-container { grid-template-columns: repeat(auto-fill, minmax(min(7.5rem, 28%), 1fr)); }
#examples .grid-wrap { min-height: 0; max-height: none; }
#frames .grid-wrap { min-height: 0; max-height: none; }
#frames .caption-label {
  font-size: .75rem; line-height: 1.3; padding: .2rem .4rem; left: .25rem; right: .25rem; bottom: .25rem;
  max-width: none; white-space: normal; text-align: left;
}
#clip button[aria-label^="Trim"], #clip button[aria-label^="Reset"] { display: none; } /* what was watched is shown */
#examples .caption-label { font-size: .75rem; padding: .1rem .4rem; left: .25rem; right: auto; bottom: .25rem; }
"""
