"""Scores of a small corpus, from the formulas alone; writes bm25.json beside this file.

Words are split at blanks, and every figure is computed anew for each passage: nothing is shared with the program.
"""

import json
import math
from pathlib import Path

K1, B = 1.2, 0.75
PASSAGES = [
    "the key that seals secrets is kept in a file",
    "a secret is sealed with the key and the key is turned",
    "backups hold no key",
    "runs are deleted and runs are purged and purged runs are gone for good with all that was in the folder of runs",
    "the disk is full",
]
QUESTIONS = ["where is the key", "purged runs", "key key key", "the is a", "nothing"]


def bm25(question):
    n, docs = len(PASSAGES), [p.split(" ") for p in PASSAGES]
    mean = sum(map(len, docs)) / n
    found = []
    for place, doc in enumerate(docs):
        score = 0.0
        for word in sorted(set(question.split(" "))):
            have = sum(word in other for other in docs)
            f = doc.count(word)
            idf = math.log(1 + (n - have + 0.5) / (have + 0.5))
            score += idf * f * (K1 + 1) / (f + K1 * (1 - B + B * len(doc) / mean))
        if score > 0:
            found.append([place, score])
    return sorted(found, key=lambda hit: -hit[1])


def shared_words(question):
    asked = set(question.split(" "))
    found = [[place, float(len(asked & set(p.split(" "))))] for place, p in enumerate(PASSAGES)]
    return sorted((hit for hit in found if hit[1] > 0), key=lambda hit: -hit[1])


told = [{"question": q, "bm25": bm25(q), "shared_words": shared_words(q)} for q in QUESTIONS]
text = json.dumps({"passages": PASSAGES, "questions": told}, indent=1)
Path(__file__).with_suffix(".json").write_text(text + "\n")
