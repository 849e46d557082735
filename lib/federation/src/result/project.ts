import {
  type GraphQLLeafType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLNonNull,
  isEnumType,
  isListType,
  isNonNullType,
  isLeafType,
} from 'graphql';
import type { AnswerField, AnswerSelection } from './collect.js';
import { leafText, quote } from './json.js';
import type { DataObject } from './path.js';
import { clientKey } from './response-key.js';

/** True if the writer met a null in a non-null position: its errors are computed then. */
export interface WriteMark {
  bubbled: boolean;
}

/** Returns the JSON text of a value, or undefined if null must replace the parent. */
type Writer = (value: unknown) => string | undefined;

/**
 * Writes an operation's answer: from the data to JSON text in one pass, by the public schema. Null if the
 * root itself is null.
 */
export function compileAnswer(selection: AnswerSelection): (data: DataObject, mark: WriteMark) => string {
  const mark: WriteMark = { bubbled: false };
  const write = new WriterFactory(mark).composite(selection);
  return (data, result) => {
    mark.bubbled = false;
    const text = write(data);
    result.bubbled = mark.bubbled;
    return text ?? 'null';
  };
}

/** Returns whether null would replace the object around a value of a field. */
export function bubbles(field: AnswerField): (value: unknown) => boolean {
  const write = new WriterFactory({ bubbled: false }).ofType(field.type, field);
  return (value) => write(value) === undefined;
}

class WriterFactory {
  readonly #mark: WriteMark;

  constructor(mark: WriteMark) {
    this.#mark = mark;
  }

  /** Writes values of a declared type, wrappers included. */
  ofType(type: GraphQLOutputType, field: AnswerField): Writer {
    const mark = this.#mark;
    if (isNonNullType(type)) {
      const inner = this.#bare(type.ofType, field);
      return (value) => {
        if (value !== null && value !== undefined) {
          const text = inner(value);
          if (text !== undefined) return text;
        }
        mark.bubbled = true;
        return undefined;
      };
    }
    const inner = this.#bare(type, field);
    return (value) => (value === null || value === undefined ? 'null' : (inner(value) ?? 'null'));
  }

  /** Writes values that are not null; undefined for values that cannot be written as this type. */
  #bare(type: Exclude<GraphQLOutputType, GraphQLNonNull<never>>, field: AnswerField): Writer {
    if (isListType(type)) return this.#list(this.ofType(type.ofType, field));
    if (isLeafType(type)) return this.#leaf(type, field);
    if (!field.selection) throw new Error(`no selection for ${field.parent}.${field.name}`);
    return this.composite(field.selection);
  }

  #list(item: Writer): Writer {
    const mark = this.#mark;
    return (value) => {
      if (!Array.isArray(value)) {
        mark.bubbled = true;
        return undefined;
      }
      let text = '[';
      for (let index = 0; index < value.length; index++) {
        const part = item(value[index]);
        if (part === undefined) return undefined;
        text += index === 0 ? part : `,${part}`;
      }
      return `${text}]`;
    };
  }

  #leaf(type: GraphQLLeafType, field: AnswerField): Writer {
    const mark = this.#mark;
    const write = field.name === '__schema' || field.name === '__type' ? leafText : leafWriter(type);
    return (value) => {
      const text = write(value);
      if (text === undefined) mark.bubbled = true;
      return text;
    };
  }

  /** Writes objects of a position: one generated function for each concrete type that occurs. */
  composite(selection: AnswerSelection): Writer {
    const mark = this.#mark;
    const byTypename = new Map<unknown, Writer>();
    const unfit: Writer = () => {
      mark.bubbled = true;
      return undefined;
    };
    let single: Writer | undefined;
    return (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        mark.bubbled = true;
        return undefined;
      }
      if (single) return single(value);
      const typename = (value as DataObject)['__typename'];
      let write = byTypename.get(typename);
      if (!write) {
        const type = selection.typeOf(typename);
        if (type) write = this.#object(selection.fieldsOf(type), type);
        else write = unfit;
        if (type === selection.type && selection.typeOf(anyTypename) === type) single = write;
        else if (byTypename.size < maxTypenames) byTypename.set(typename, write);
      }
      return write(value);
    };
  }

  #object(fields: readonly AnswerField[], type: GraphQLNamedType): Writer {
    const writers: Writer[] = [];
    const lines: string[] = [];
    let pending = '{';
    for (const [position, field] of fields.entries()) {
      const label = `${position === 0 ? '' : ','}${quote(clientKey(field.key))}:`;
      pending += label;
      if (field.name === '__typename') {
        pending += quote(type.name);
        continue;
      }
      const index = writers.push(this.ofType(field.type, field)) - 1;
      lines.push(fieldCode(field, index, pending));
      pending = '';
    }
    const body = `"use strict";return function(o){let s='',t,v;${lines.join('')}return s+${literal(`${pending}}`)};}`;
    // Only names of the schema and of a valid document, and JSON literals, are part of the text.
    const make = new Function('w', 'q', body) as (w: readonly Writer[], q: typeof quote) => Writer;
    return make(writers, quote);
  }
}

/** Names that a subgraph may invent are not cached without limit. */
const maxTypenames = 1_000;
/** No type has this name. */
const anyTypename = '';

function fieldCode(field: AnswerField, index: number, pending: string): string {
  const key = JSON.stringify(field.key);
  // Every object has a key such as `constructor`.
  const read = field.key in Object.prototype ? `Object.hasOwn(o,${key})?o[${key}]:undefined` : `o[${key}]`;
  const text = literal(pending);
  const isNonNull = isNonNullType(field.type);
  const named = isNonNull ? field.type.ofType : field.type;
  const otherwise = isNonNull
    ? `{t=w[${index}](v);if(t===undefined)return undefined;s+=${text}+t}`
    : `s+=${text}+w[${index}](v)`;
  if (isLeafType(named) && (named.name === 'String' || named.name === 'ID') && !field.name.startsWith('__')) {
    return `v=${read};if(typeof v==='string')s+=${text}+q(v);else ${otherwise};`;
  }
  return `v=${read};${otherwise};`;
}

/** A string as a literal of the generated code. */
function literal(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** Writes values of a leaf type; undefined for other values. */
export function leafWriter(type: GraphQLLeafType): Writer {
  if (isEnumType(type)) {
    const texts = new Map<unknown, string>(type.getValues().map(({ name }) => [name, quote(name)]));
    return (value) => texts.get(value);
  }
  return scalarWriters.get(type.name) ?? leafText;
}

const maxInt = 2 ** 31 - 1;
const minInt = -(2 ** 31);

const scalarWriters = new Map<string, Writer>([
  ['String', (value) => (typeof value === 'string' ? quote(value) : undefined)],
  [
    'ID',
    (value) => {
      if (typeof value === 'string') return quote(value);
      return Number.isInteger(value) ? `"${String(value)}"` : undefined;
    },
  ],
  [
    'Int',
    (value) =>
      Number.isInteger(value) && (value as number) <= maxInt && (value as number) >= minInt
        ? `${value as number}`
        : undefined,
  ],
  ['Float', (value) => (Number.isFinite(value) ? `${value as number}` : undefined)],
  ['Boolean', (value) => (value === true ? 'true' : value === false ? 'false' : undefined)],
]);
