/** Replaces values of secrets in the output of a payload. */

const mask = Buffer.from('***');
/** Shorter texts would hide too much of other output. */
const shortest = 8;
/** Bytes by which the beginning of a text is found. */
const stem = 8;

/** Tokens that may be valid at once: each is replaced at half of its life, or a little later. */
const validAtOnce = 3;

/** Texts that are replaced, the longest first. */
export type Masked = readonly Buffer[];

/**
 * The values of secrets in all forms that are replaced: as they are, line by line, in base64 at any
 * position, in hexadecimal, and as parts of URLs and of JSON.
 */
export function maskedForms(values: readonly string[]): Masked {
  const forms = new Set<string>();
  for (const value of values) {
    const parts = [value, value.trim(), ...value.split(/\r?\n/).map((line) => line.trim())];
    for (const part of new Set(parts)) {
      if (Buffer.byteLength(part) < shortest) continue;
      for (const form of formsOf(part)) if (Buffer.byteLength(form) >= shortest) forms.add(form);
    }
  }
  return [...forms].map((form) => Buffer.from(form)).sort((a, b) => b.length - a.length);
}

function formsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  const encoded = encodeURIComponent(text);
  const base64 = base64Forms(bytes);
  return [
    text,
    encoded,
    encoded.replaceAll('%20', '+'),
    JSON.stringify(text).slice(1, -1),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64,
    ...base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** Base64 depends on the position in the encoded text: without the characters that others influence. */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((shift) => {
    const all = Buffer.concat([Buffer.alloc(shift), bytes]);
    const from = [0, 2, 3][shift] ?? 0;
    const text = all.toString('base64').replaceAll('=', '');
    return text.slice(from, Math.floor((all.length * 8) / 6));
  });
}

/** Texts that a log must not show: fixed ones, and those of tokens while they may be valid. */
export class MaskedTexts {
  readonly #fixed: Masked;
  /** Texts of each token, the newest first. */
  #tokens: readonly Masked[] = [];
  #all: Masked;

  constructor(fixed: Masked) {
    this.#fixed = fixed;
    this.#all = fixed;
  }

  get all(): Masked {
    return this.#all;
  }

  /** Adds the texts of a renewed token. */
  addToken(texts: Masked): void {
    this.#tokens = [texts, ...this.#tokens].slice(0, validAtOnce);
    this.#all = [...this.#tokens.flat(), ...this.#fixed].sort((a, b) => b.length - a.length);
  }
}

/** Masks one stream. A text that is cut between two parts is found. */
export class OutputMask {
  readonly #masked: () => Masked;
  #held: Buffer = Buffer.alloc(0);

  /** @param masked the texts now: a renewed token is one more */
  constructor(masked: () => Masked) {
    this.#masked = masked;
  }

  /** Takes the next bytes. @returns masked bytes; what may be the beginning of a masked text is kept back */
  push(bytes: Buffer): Buffer {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const { done, rest } = this.#replace(all);
    const keep = this.#beginning(rest);
    this.#held = Buffer.from(rest.subarray(rest.length - keep));
    return Buffer.concat([...done, rest.subarray(0, rest.length - keep)]);
  }

  /** The bytes that were kept back, at the end of the stream. */
  end(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }

  #replace(all: Buffer): { readonly done: Buffer[]; readonly rest: Buffer } {
    const done: Buffer[] = [];
    const next = this.#masked().map((text) => ({ text, at: all.indexOf(text) }));
    let from = 0;
    for (;;) {
      let first: { readonly text: Buffer; at: number } | undefined;
      for (const one of next) {
        if (one.at >= 0 && one.at < from) one.at = all.indexOf(one.text, from);
        if (one.at >= 0 && (first === undefined || one.at < first.at)) first = one;
      }
      if (first === undefined) return { done, rest: all.subarray(from) };
      done.push(all.subarray(from, first.at), mask);
      from = first.at + first.text.length;
    }
  }

  /** Length of the longest end of the bytes that is the beginning of a masked text. */
  #beginning(rest: Buffer): number {
    return this.#masked().reduce((most, text) => Math.max(most, overlap(rest, text)), 0);
  }
}

/** Length of the longest end of `rest` with which `text` begins, below the length of `text`. */
function overlap(rest: Buffer, text: Buffer): number {
  const longest = Math.min(rest.length, text.length - 1);
  const start = text.subarray(0, stem);
  const window = rest.subarray(rest.length - longest);
  for (let at = window.indexOf(start); at >= 0; at = window.indexOf(start, at + 1)) {
    const end = window.subarray(at);
    if (end.equals(text.subarray(0, end.length))) return end.length;
  }
  for (let length = Math.min(stem - 1, longest); length > 0; length -= 1)
    if (rest.subarray(rest.length - length).equals(text.subarray(0, length))) return length;
  return 0;
}
