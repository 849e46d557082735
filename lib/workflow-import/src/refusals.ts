/** Constructs that cannot be imported. All are collected, so that a user sees them at once. */
import type { Located } from './text/located.js';
import type { TextFault } from './text/source.js';
import type { Place } from './text/source.types.js';

/** Most refusals that are listed. */
export const maxRefusals = 50;

interface Refused {
  readonly at: Located;
  readonly problem: string;
  readonly advice: string | undefined;
}

/** Collects refusals and notes. */
export class Refusals {
  readonly #refused = new Map<string, Refused>();
  readonly #faults: string[] = [];
  readonly #notes = new Set<string>();
  #more = 0;

  get isEmpty(): boolean {
    return this.#refused.size === 0 && this.#faults.length === 0;
  }

  /** True if no further refusal is listed, so that work may end. */
  get isFull(): boolean {
    return this.#refused.size + this.#faults.length >= maxRefusals;
  }

  /**
   * Refuses a construct. The same construct with the same problem is listed once, in however many instances
   * of a step it occurs.
   * @param problem what is wrong, such as "nested_crossproduct is not supported"
   * @param advice what would be right
   */
  refuse(at: Located, problem: string, advice?: string): void {
    const key = JSON.stringify([at.source.file, at.path, problem]);
    if (this.#refused.has(key)) return;
    if (this.isFull) this.#more += 1;
    else this.#refused.set(key, { at, problem, advice });
  }

  /** Refuses a value that is malformed. */
  invalid(at: Located, expected: string): void {
    if (at.value === undefined) this.refuse(at, 'is missing', `must be ${expected}`);
    else this.refuse(at, `${shortJson(at.value)} is not valid`, `must be ${expected}`);
  }

  /** Refuses a text that could not be read. */
  fault({ problem, place }: TextFault): void {
    if (this.isFull) this.#more += 1;
    else this.#faults.push(`${problem} (${placeText(place)})`);
  }

  /**
   * Notes what an import leaves out without harm. The same note is listed once.
   * @param where the construct; a text where it is one of many, such as a field of all jobs with a label
   */
  note(where: Located | string, text: string): void {
    const shown = typeof where === 'string' ? where : where.shown;
    if (this.#notes.size < maxRefusals) this.#notes.add(`${shown}: ${text}`);
  }

  /** Notes, in the order in which they were found. */
  get notes(): readonly string[] {
    return [...this.#notes];
  }

  /** All refusals, with their places. */
  list(): readonly string[] {
    const found = [...this.#refused.values()];
    const places = new Map<Refused, Place>();
    for (const source of new Set(found.map(({ at }) => at.source))) {
      const own = found.filter(({ at }) => at.source === source);
      source.placesOf(own.map(({ at }) => at.path)).forEach((place, index) => {
        const refused = own[index];
        if (refused) places.set(refused, place);
      });
    }
    const texts = found.map((refused) => {
      const { at, problem, advice } = refused;
      const place = places.get(refused);
      const where = place ? ` (${placeText(place)})` : '';
      return `${at.shown || 'the whole'}: ${problem}${where}${advice === undefined ? '' : `; ${advice}`}`;
    });
    const more = this.#more > 0 ? [`and ${this.#more} more`] : [];
    return [...this.#faults, ...texts, ...more];
  }
}

function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** A value as JSON, shortened. */
export function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
