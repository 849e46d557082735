/** Path of a value in a text: names of members and positions of entries, outermost first. */
export type Path = readonly (string | number)[];

/** A place in a text. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

/** A text that was read. */
export interface SourceText {
  /** Path of the file, as it was given. */
  readonly file: string;
  /** The value of the text. */
  readonly value: unknown;
  /** Places of members, by their names, and of entries; of what contains them where there are none. */
  placesOf(paths: readonly Path[]): readonly Place[];
}
