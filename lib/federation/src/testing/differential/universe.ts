import {
  GraphQLError,
  type ListTypeNode,
  type NamedTypeNode,
  type NonNullTypeNode,
  parseType,
} from 'graphql';
import { defineErrors } from '@rhizome/errors';
import type { FieldModel, Model } from './model.js';
import { hash } from './random.js';

/** An object as resolvers pass it: its type and its number; everything else follows from these. */
export interface Thing {
  readonly __typename: string;
  readonly $id: string;
}

/** Context of a resolver in addition to its object. */
export interface Situation {
  /** The subgraph that resolves; abstract values have types it knows. */
  readonly subgraph: number;
  /** Values of required fields, by name. */
  readonly required?: Readonly<Record<string, unknown>>;
}

const things = 3;
const faultRate = 0.03;
const nullRate = 0.12;
const violationRate = 0.015;

const strings = [
  '',
  'plain',
  'with "quotes"',
  'back\\slash',
  'line\nbreak',
  'ümläut €',
  '\u2028\u2029',
  '🙂',
  '\ud800',
  'x'.repeat(60),
  `${'y'.repeat(60)}"`,
];
const jsonValues: readonly unknown[] = [
  { a: 1, id: 'not a field', nested: { b: [1, null] } },
  [1, [2]],
  'text',
  0,
  true,
  { __typename: 'Fake' },
];

/**
 * All values of a model's fields: the same for the subgraphs and for the schema they are compared with. Some
 * are null, some throw, some do not fit their type.
 */
export class Universe {
  readonly #model: Model;
  readonly #types = new Map<string, ReturnType<typeof parseType>>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** Value of a field of an object, or a promise of it; throws if the universe has an error there. */
  resolve(
    owner: string,
    thing: Thing | undefined,
    field: FieldModel,
    args: object,
    situation: Situation,
  ): unknown {
    const key = [this.#model.seed, owner, thing?.$id ?? '', field.name, inOrder(args)].join('|');
    const needed = field.requires ? JSON.stringify(situation.required) : '';
    const h = hash(key + needed);
    const isAsync = h % 3 === 0;
    try {
      if (!field.steady && rate(h, 'fault') < faultRate) throw fault(owner, field.name, h);
      const typeText = field.strictIn?.length ? `${field.type}!` : field.type;
      let type = this.#types.get(typeText);
      if (!type) this.#types.set(typeText, (type = parseType(typeText)));
      const value = this.#value(type, h, field, situation, field.requires ? `${needed}` : undefined);
      return isAsync ? Promise.resolve(value) : value;
    } catch (error) {
      if (isAsync) return Promise.reject(error as Error);
      throw error;
    }
  }

  #value(
    type: NamedTypeNode | ListTypeNode | NonNullTypeNode,
    h: number,
    field: FieldModel,
    situation: Situation,
    text: string | undefined,
  ): unknown {
    if (type.kind === 'NonNullType') {
      if (!field.steady && rate(h, 'violation') < violationRate) return null;
      return this.#notNull(type.type, h, field, situation, text);
    }
    if (rate(h, 'null') < nullRate) return null;
    return this.#notNull(type, h, field, situation, text);
  }

  #notNull(
    type: NamedTypeNode | ListTypeNode,
    h: number,
    field: FieldModel,
    situation: Situation,
    text: string | undefined,
  ): unknown {
    if (type.kind === 'ListType') {
      return Array.from({ length: hash(`${h}length`) % 4 }, (_, index) =>
        this.#value(type.type, hash(`${h}.${index}`), field, situation, text),
      );
    }
    return this.#named(type.name.value, h, situation, text);
  }

  #named(name: string, h: number, { subgraph }: Situation, text: string | undefined): unknown {
    switch (name) {
      case 'Int':
        return (h % 2_000) - 1_000;
      case 'Float':
        return ((h % 20_000) - 10_000) / 8;
      case 'Boolean':
        return h % 2 === 0;
      case 'ID':
        return `id-${h % 50}`;
      case 'String':
        return text ?? strings[h % strings.length];
      case 'JSON':
        return jsonValues[h % jsonValues.length];
      default:
        return this.#other(name, h, subgraph);
    }
  }

  #other(name: string, h: number, subgraph: number): unknown {
    const enumeration = this.#model.enums.find((one) => one.name === name);
    if (enumeration) return enumeration.values[h % enumeration.values.length];
    const abstract = this.#model.abstracts.find((one) => one.name === name);
    const members = abstract
      ? abstract.members.filter((member) => abstract.objectIn === subgraph || this.knows(member, subgraph))
      : [name];
    const typename = members[h % members.length] ?? name;
    return { __typename: typename, $id: `${typename}-${h % things}` } satisfies Thing;
  }

  /** True if a subgraph knows an object type. */
  knows(object: string, subgraph: number): boolean {
    return this.#model.objects.find(({ name }) => name === object)?.present.has(subgraph) ?? false;
  }
}

/** Arguments as text, independent of their order. */
function inOrder(args: object): string {
  return JSON.stringify(Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function rate(h: number, what: string): number {
  return hash(`${h}${what}`) / 2 ** 32;
}

/** Codes of a universe's errors. */
const faultCodes: readonly string[] = ['FAULT_A', 'FAULT_B', 'FAULT_C'];
defineErrors(
  'FAULT',
  Object.fromEntries(
    faultCodes.map((code) => [
      code.slice('FAULT_'.length),
      {
        http: 500,
        retry: 'never',
        message: 'a fault',
        description: 'A fault of a random universe.',
      } as const,
    ]),
  ),
);

function fault(owner: string, field: string, h: number): GraphQLError {
  return new GraphQLError(`fault of ${owner}.${field}`, {
    extensions: { code: faultCodes[h % faultCodes.length] },
  });
}

/** Part of a required value that a representation has, in one order. */
export function requiredPart(value: unknown, inner: readonly string[] | undefined): unknown {
  if (!inner || value === null || value === undefined) return value ?? null;
  if (Array.isArray(value)) return value.map((item) => requiredPart(item, inner));
  return Object.fromEntries(inner.map((name) => [name, (value as Record<string, unknown>)[name] ?? null]));
}

/** Values of the key fields that each entity has. */
export function keyValue(thing: Thing, field: string): unknown {
  if (field === 'sku') return `sku:${thing.$id}`;
  if (field === 'ref') return { code: `ref:${thing.$id}` };
  return thing.$id;
}

/** The entity that a representation refers to. */
export function thingOf(representation: Readonly<Record<string, unknown>>): Thing {
  const { id, sku, ref } = representation as { id?: string; sku?: string; ref?: { code?: string } };
  const $id = id ?? sku?.slice('sku:'.length) ?? ref?.code?.slice('ref:'.length);
  if (typeof $id !== 'string') throw new Error(`no key in ${JSON.stringify(representation)}`);
  return { __typename: $id.slice(0, $id.lastIndexOf('-')), $id };
}
