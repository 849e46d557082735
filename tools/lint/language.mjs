// Wording that is not used in this project, with what to write instead. `plugin.mjs` looks for it in
// comments, strings, SDL descriptions and Markdown; single terms are in `cspell.json` (`flagWords`), which
// also checks identifiers. The reasons are in CONTRIBUTING.md, "Language".

/** @type {readonly { pattern: RegExp, instead: string }[]} */
export const notUsed = [
  { pattern: /\bso many\b/i, instead: 'name the number: "at most N", "this many"' },
  { pattern: /\bas far as\b/i, instead: '"if", "where", "to the extent that"' },
  {
    pattern: /\b(?:for|to|of|by|from|with|on) who\b/i,
    instead: 'name the person: "for operators", "the caller"',
  },
  {
    pattern:
      /(?:^|[.:;] )who(?:ever)? (?:asks?|reads?|runs?|submits?|resumes?|may|has|wants?|knows?|comes?|is|does)\b/i,
    instead: 'name the person: "the caller", "a subscriber that …"',
  },
  { pattern: /\bwhat of\b/i, instead: '"the part of … that", "which …"' },
  {
    pattern: /\bsee the (?:head|top) of (?:this|the) (?:file|module)\b/i,
    instead: 'say it, or leave the comment out',
  },
  {
    pattern: /\b(?:is|are|was|were|be|been|being) handed\b|\bhand(?:s|ed)? on\b/i,
    instead: '"is passed", "is given", "forwards"',
  },
  { pattern: /\bmak(?:e|es|ing) up for\b|\bmade up for\b/i, instead: '"replays", "catches up on"' },
  { pattern: /\bhow (?:it|they|things) stands?\b/i, instead: '"the current state"' },
  { pattern: /\bin vain\b/i, instead: '"without success", "fails"' },
  { pattern: /\bfor ever\b/i, instead: '"forever", "without limit"' },
  { pattern: /\blets? go(?: of)?\b|\bletting go\b/i, instead: '"releases"' },
  { pattern: /\bby and by\b/i, instead: '"gradually"' },
  { pattern: /\bit is (?:asked|said)\b/i, instead: 'say who asks or states it' },
  { pattern: /\b(?:one's|it's) own accord\b/i, instead: '"automatically", "itself"' },
  { pattern: /\blooked at (?:once|again)\b/i, instead: '"checked"' },
  {
    pattern: /\ba worker's word\b|\blate word\b|\bwords? of (?:a|the) worker/i,
    instead: '"a report from a worker"',
  },
  { pattern: /\btakes? leave\b/i, instead: '"disconnects", "ends"' },
  { pattern: /\bwithout (?:its|their) being\b/i, instead: '"although it is not …"' },
  {
    pattern: /\bof (?:them|it|these|those|which|whose),? (?:the one|those|that) (?:that|who|which)\b/i,
    instead: 'subject first: "the … that"',
  },
];

/** First words that make a description a clause instead of a noun phrase or a sentence. */
export const notFirst = /^(?:what|whether|who|whom|whose|why|how|those|that)\b/i; // cspell:ignore whom
