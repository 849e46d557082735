/** Types of parameters. */
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import { nameOfId } from './fields.js';
import { FileValue, isList, UnknownValue, type Value } from './values.js';

/** One of the types that a parameter may have. */
export interface CwlType {
  readonly name: string;
  /** Of an array. */
  readonly items?: readonly CwlType[];
  /** Of an enumeration. */
  readonly symbols?: readonly string[];
  /** Binding that is given with the type, of an array for each of its entries. */
  readonly binding?: Located;
}

const simple = new Set([
  ...['null', 'boolean', 'int', 'long', 'float', 'double', 'string', 'File', 'Directory', 'Any'],
  ...['stdin', 'stdout', 'stderr'],
]);

/** Alternatives of a type; none if it is refused. */
export function typesOf(at: Located, refusals: Refusals, depth = 0): readonly CwlType[] {
  if (depth > 20) {
    refusals.refuse(at, 'is nested too deeply');
    return [];
  }
  if (at.isList) return at.entries().flatMap((entry) => typesOf(entry, refusals, depth + 1));
  const { text } = at;
  if (text !== undefined) return namedTypes(text, at, refusals);
  const kind = at.member('type');
  const binding = at.member('inputBinding');
  if (kind?.text === 'array') {
    const items = typesOf(at.place('items'), refusals, depth + 1);
    return items.length > 0 ? [{ name: 'array', items, ...(binding ? { binding } : {}) }] : [];
  }
  if (kind?.text === 'enum') {
    const symbols = (at.member('symbols')?.entries() ?? []).flatMap(({ text: symbol }) =>
      symbol === undefined ? [] : [nameOfId(symbol)],
    );
    return [{ name: 'enum', symbols, ...(binding ? { binding } : {}) }];
  }
  if (kind?.text === 'record')
    refusals.refuse(at, 'records are not supported', 'use an input for each field');
  else if (kind) return typesOf(kind, refusals, depth + 1);
  else refusals.invalid(at, 'a type');
  return [];
}

function namedTypes(text: string, at: Located, refusals: Refusals): readonly CwlType[] {
  if (text.endsWith('?')) return [{ name: 'null' }, ...namedTypes(text.slice(0, -1), at, refusals)];
  if (text.endsWith('[]')) {
    const items = namedTypes(text.slice(0, -2), at, refusals);
    return items.length > 0 ? [{ name: 'array', items }] : [];
  }
  if (simple.has(text)) return [{ name: text }];
  refusals.refuse(at, `the type ${JSON.stringify(text)} is not supported`);
  return [];
}

/** The alternative that a value has; undefined if it has none. */
export function typeFor(value: Value, types: readonly CwlType[]): CwlType | undefined {
  return types.find((type) => fits(value, type));
}

/** Texts of types for a message. */
export function typeText(types: readonly CwlType[]): string {
  return types.map(({ name, items }) => (items ? `list of ${typeText(items)}` : name)).join(' or ');
}

function fits(value: Value, { name, items, symbols }: CwlType): boolean {
  if (value instanceof UnknownValue) return name !== 'null';
  if (name === 'Any') return value !== null;
  if (value === null) return name === 'null';
  if (value instanceof FileValue) return name === value.kind || (name === 'stdin' && value.kind === 'File');
  if (isList(value)) return items !== undefined && value.every((entry) => typeFor(entry, items));
  if (typeof value === 'boolean') return name === 'boolean';
  if (typeof value === 'string')
    return name === 'string' || (name === 'enum' && symbols?.includes(value) === true);
  if (name === 'int' || name === 'long') return Number.isInteger(value);
  return name === 'float' || name === 'double';
}
