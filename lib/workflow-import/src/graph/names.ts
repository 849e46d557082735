/** Names of nodes and labels in the form that core accepts. */

const maxName = 200;
const maxLabel = 100;

/** Gives each of several texts a name of its own. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();
  readonly #form: (text: string) => string;
  readonly #most: number;

  private constructor(form: (text: string) => string, most: number) {
    this.#form = form;
    this.#most = most;
  }

  /** Names of nodes: 1 to 200 characters without control characters, and no blanks at the ends. */
  static ofNodes(): Names {
    const form = (text: string): string =>
      text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '_').trim() || 'node';
    return new Names(form, maxName);
  }

  /** Labels: 1 to 100 letters, digits, `.`, `_`, `-`, beginning with a letter or digit. */
  static ofLabels(): Names {
    const form = (text: string): string =>
      text.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^[._-]+/, '') || 'label';
    return new Names(form, maxLabel);
  }

  /** A valid name that was not given before; the text itself where that is possible. */
  give(text: string): string {
    const stem = cut(this.#form(text), this.#most);
    let name = stem;
    let number = this.#next.get(stem) ?? 2;
    while (this.#taken.has(name)) {
      const suffix = `_${number}`;
      name = `${cut(stem, this.#most - suffix.length)}${suffix}`;
      number += 1;
    }
    this.#next.set(stem, number);
    this.#taken.add(name);
    return name;
  }
}

/** The beginning of a text, counted as core counts: a character outside of the basic plane is one. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return [...text.slice(0, 2 * most)].slice(0, most).join('').trim();
}
