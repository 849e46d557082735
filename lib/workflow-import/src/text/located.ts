/** Values that know their place in a text. */
import type { Path, SourceText } from './source.types.js';

interface Within {
  /** The value that contains it; undefined for the whole. */
  readonly parent: Located | undefined;
  readonly key: string | number;
  readonly value: unknown;
}

/** A value of a text, with its path. */
export class Located {
  readonly source: SourceText;
  readonly value: unknown;
  readonly #parent: Located | undefined;
  readonly #key: string | number;
  readonly #shown: string;

  /** @param within place and value of a part of the text; by default the whole of it */
  constructor(source: SourceText, within?: Within) {
    this.source = source;
    this.value = within ? within.value : source.value;
    this.#parent = within?.parent;
    this.#key = within?.key ?? '';
    this.#shown = typeof this.#key === 'number' ? nameOf(this.value, this.#key) : this.#key;
  }

  /** Path in the text. */
  get path(): Path {
    return this.#parent ? [...this.#parent.path, this.#key] : [];
  }

  /** The path as it is shown: entries that have an id or a class are shown by it. */
  get shown(): string {
    const outer = this.#parent?.shown ?? '';
    return outer === '' ? this.#shown : `${outer}.${this.#shown}`;
  }

  /** The last part of the path as it is shown. */
  get name(): string {
    return this.#shown;
  }

  /** The text; undefined for a value that is none. */
  get text(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined;
  }

  get isList(): boolean {
    return Array.isArray(this.value);
  }

  get isMap(): boolean {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value);
  }

  /** True for a map and a list without members. */
  get isEmpty(): boolean {
    return typeof this.value === 'object' && this.value !== null && Object.keys(this.value).length === 0;
  }

  /** A member that is neither absent nor null. */
  member(key: string): Located | undefined {
    if (!this.isMap || !Object.hasOwn(this.value as object, key)) return undefined;
    const value = (this.value as Readonly<Record<string, unknown>>)[key];
    return value === null || value === undefined
      ? undefined
      : new Located(this.source, { parent: this, key, value });
  }

  /** Another value at the same place. */
  with(value: unknown): Located {
    return new Located(this.source, { parent: this.#parent, key: this.#key, value });
  }

  /** A member, also one that is null or absent, to say where it should be. */
  place(key: string): Located {
    return this.member(key) ?? new Located(this.source, { parent: this, key, value: undefined });
  }

  /** Members of a map, also those that are null. */
  members(): readonly Located[] {
    if (!this.isMap) return [];
    return Object.entries(this.value as object).map(
      ([key, value]) => new Located(this.source, { parent: this, key, value: value as unknown }),
    );
  }

  /** Entries of a list. */
  entries(): readonly Located[] {
    if (!Array.isArray(this.value)) return [];
    return (this.value as readonly unknown[]).map(
      (value, index) => new Located(this.source, { parent: this, key: index, value }),
    );
  }
}

function nameOf(value: unknown, index: number): string {
  if (typeof value === 'object' && value !== null)
    for (const key of ['id', 'class'] as const) {
      const name = (value as Readonly<Record<string, unknown>>)[key];
      // Files in a list are known by their positions.
      if (typeof name === 'string' && name !== '' && name !== 'File' && name !== 'Directory')
        return name.replace(/^.*[#/]/, '') || name;
    }
  return String(index);
}
