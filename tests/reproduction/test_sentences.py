"""Every claim comes from a sentence of the paper; a sentence without a claim has a reason."""

from __future__ import annotations

import yaml

from reproduction.paper.read_sentences import sentences
from reproduction.paths import PAPER
from reproduction.verdicts.claims import load_claims

#: Of arXiv 2507.17785, in its order; the captions of its tables as one.
SECTIONS = [
    "Abstract",
    "Introduction",
    "Method",
    "Datasets and Models",
    "G_M Visualisation",
    "Quantitative Analysis of Self-Similarity in G_M",
    "Architectural Self-Similarity: The Decisive Factor in Constraint Efficacy",
    "Tables",
    "Conclusion",
    "Appendix A",
    "Appendix B",
    "Appendix C",
]


def test_every_claim_is_named_by_a_sentence_and_every_key_exists():
    named = {key for keys in sentences()["claims"] for key in keys}
    assert named == {claim.key for claim in load_claims()}


def test_a_sentence_has_claims_or_a_reason_never_both():
    for row in sentences().itertuples():
        assert bool(row.claims) != bool(row.reason.strip()), row.quote
        assert len(set(row.claims)) == len(row.claims), row.quote


def test_every_section_of_the_paper_is_there_in_its_order():
    assert list(dict.fromkeys(sentences()["section"])) == SECTIONS


def test_quotes_identify_and_do_not_copy():
    table = sentences()
    assert table["quote"].is_unique and (table["says"].str.len() > 0).all()
    words = table["quote"].str.split().str.len()
    assert words.between(2, 12).all(), table.loc[~words.between(2, 12), "quote"].tolist()


def test_what_the_claims_quote_from_print_is_in_a_sentence():
    """A number or word that a claim calls printed stands in a sentence that names the claim."""
    table = sentences()
    for key, words in {
        "average-gain": "1.2-5.3%",
        "up-to-six": "6%",
        "helps": "exclusively",
        "invariance": "precisely those",
        "negligible": "negligible",
        "vgg-drop": "slight",
        "poolformer-response": "respond",
        "rises": "In the majority",
        "range": "between 0 and 1",
        "boxes": "approximate simulation",
    }.items():
        own = table[[key in keys for keys in table["claims"]]]
        assert own["quote"].str.contains(words, regex=False).any(), key


def test_a_sentence_has_no_other_fields():
    text = (PAPER / "sentences.yml").read_text(encoding="utf-8")
    for entries in yaml.safe_load(text).values():
        for entry in entries:
            assert set(entry) in ({"quote", "says", "claims"}, {"quote", "says", "reason"})
