/** Values of inputs and outputs while a workflow is imported. */
import type { DraftNode } from '../graph/draft.js';

/** A file or a folder. */
export class FileValue {
  readonly kind: 'File' | 'Directory';
  readonly basename: string;
  /** Path under which a command finds it; undefined if it cannot be passed to a command. */
  readonly path: string | undefined;
  /** Address from which a worker fetches it; undefined if it is in a folder that workers share. */
  readonly location: string | undefined;
  /** Node that writes it. */
  readonly from: DraftNode | undefined;
  /** Path in the folder of the node that writes it. */
  readonly name: string | undefined;
  /** True if the node may leave it out. */
  readonly isOptional: boolean;
  /** Files that belong to it. */
  readonly secondary: readonly FileValue[];

  constructor(given: Pick<FileValue, 'kind' | 'basename'> & Partial<FileValue>) {
    this.kind = given.kind;
    this.basename = given.basename;
    this.path = given.path;
    this.location = given.location;
    this.from = given.from;
    this.name = given.name;
    this.isOptional = given.isOptional === true;
    this.secondary = given.secondary ?? [];
  }
}

/** A value that is known only when a step has run. */
export class UnknownValue {
  /** Node that gives the value. */
  readonly from: DraftNode | undefined;
  /** Reason why it is not known; undefined if it was refused before. */
  readonly reason: string | undefined;
  /** True for files and folders, and lists of them, that exist if the node succeeds. */
  readonly isPresent: boolean;

  constructor(from?: DraftNode, reason?: string, isPresent = false) {
    this.from = from;
    this.reason = reason;
    this.isPresent = isPresent;
  }
}

/** A value. */
export type Value = null | boolean | number | string | FileValue | UnknownValue | readonly Value[];

const known = new WeakMap<readonly Value[], readonly DraftNode[]>();

/** Nodes that give a value, or parts of it. The same list has the same array of nodes. */
export function producersOf(value: Value): readonly DraftNode[] {
  if (value instanceof FileValue || value instanceof UnknownValue) return value.from ? [value.from] : [];
  if (!isList(value)) return [];
  const before = known.get(value);
  if (before) return before;
  const nodes = [...new Set(value.flatMap((entry) => producersOf(entry)))];
  known.set(value, nodes);
  return nodes;
}

/** Files of a value that workers fetch. The same list has the same array of files. */
export const fetchedIn = collector(({ location }) => location !== undefined);

/** Files and folders of a value that workers have in folders, and no node writes. */
export const placedIn = collector(({ location, from }) => location === undefined && from === undefined);

function collector(isWanted: (file: FileValue) => boolean): (value: Value) => readonly FileValue[] {
  const found = new WeakMap<readonly Value[], readonly FileValue[]>();
  const filesOf = (value: Value): readonly FileValue[] => {
    if (value instanceof FileValue) return isWanted(value) ? [value] : [];
    if (value instanceof UnknownValue || !isList(value)) return [];
    const before = found.get(value);
    if (before) return before;
    const files = value.flatMap((entry) => filesOf(entry));
    found.set(value, files);
    return files;
  };
  return filesOf;
}

/** True for a list. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** The value as it is shown in a message. */
export function shown(value: Value): string {
  if (value instanceof FileValue) return `${value.kind} ${JSON.stringify(value.basename)}`;
  if (value instanceof UnknownValue) return 'a result';
  if (isList(value)) return `a list of ${value.length}`;
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
