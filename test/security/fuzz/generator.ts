/** Inputs of mutations, generated from their types: mostly possible, often wrong in one point. */
import { type GraphQLInputType, isEnumType, isInputObjectType, isListType, isNonNullType } from 'graphql';

/** Numbers from 0 to 1; the same seed gives the same ones. */
export type Random = () => number;

/** A small generator of random numbers (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values that exist in the system, by the name of the field that takes them. */
export type KnownValues = Readonly<Record<string, readonly unknown[]>>;

const texts = [
  ...['', ' ', 'a', 'x-1', 'a name', '*', '0', '-1', 'null', 'undefined', '__proto__', 'constructor', '$ne'],
  ...['a\nb', 'a\0b', '\u202eevil', '\ud800', '🦏', '../../etc/passwd', '{{index}}', '{{', 'true', 'a/b/c'],
  ...[
    'http://127.0.0.1:9/',
    'file:///etc/passwd',
    "'; --",
    '<script>',
    '%s%n',
    'x'.repeat(300),
    'y'.repeat(20_000),
  ],
] as const;
const integers = [
  0,
  1,
  2,
  3,
  10,
  100,
  -1,
  -0,
  1000,
  65_536,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  2 ** 53 - 1,
  2 ** 53,
  1.5,
];
const times = [
  ...[
    '2026-01-01T00:00:00.000Z',
    '2099-12-31T23:59:59.999Z',
    '9999-12-31T23:59:59.999Z',
    '1970-01-01T00:00:00Z',
  ],
  ...['0000-00-00', 'yesterday', '2026-02-30T00:00:00Z', '', '+275760-09-13T00:00:00.000Z', 1],
];
const anything = [null, true, 0, 'text', [], {}, [[[[]]]], { a: { b: 1 } }];

/** Generates values of input types. */
export class InputGenerator {
  readonly #random: Random;
  readonly #known: KnownValues;

  constructor(random: Random, known: KnownValues) {
    this.#random = random;
    this.#known = known;
  }

  /** A value for a field of this name and type; undefined leaves it out. */
  value(type: GraphQLInputType, field: string, depth = 0): unknown {
    if (isNonNullType(type)) return this.#happens(0.01) ? null : this.#given(type.ofType, field, depth);
    // Optional parts become rare in the depth, so that values end.
    if (this.#happens(0.45 + depth * 0.12)) return undefined;
    return this.#happens(0.03) ? null : this.#given(type, field, depth);
  }

  /** A copy of a valid value in which one part has another value, is missing, or is added. */
  variant(type: GraphQLInputType, valid: unknown, field: string): unknown {
    const inner = isNonNullType(type) ? (type.ofType as GraphQLInputType) : type;
    if (isInputObjectType(inner) && typeof valid === 'object' && valid !== null) {
      const chosen = this.#one(Object.values(inner.getFields()));
      const { [chosen.name]: before, ...rest } = valid as Readonly<Record<string, unknown>>;
      const isKept = before !== undefined && this.#happens(0.6);
      const value = isKept
        ? this.variant(chosen.type, before, chosen.name)
        : this.value(chosen.type, chosen.name, 1);
      return value === undefined ? rest : { ...rest, [chosen.name]: value };
    }
    if (isListType(inner) && Array.isArray(valid) && valid.length > 0) {
      const changed = Math.floor(this.#random() * valid.length);
      const element = inner.ofType as GraphQLInputType;
      return valid.map((one, at) => (at === changed ? this.variant(element, one, field) : (one as unknown)));
    }
    return this.#given(inner, field, 1);
  }

  #given(type: GraphQLInputType, field: string, depth: number): unknown {
    if (this.#happens(0.01)) return this.#one(anything);
    if (isNonNullType(type)) return this.#given(type.ofType, field, depth);
    if (isListType(type)) {
      const length = this.#one([0, 1, 1, 1, 2, 3, this.#happens(0.05) ? 40 : 1]);
      return Array.from({ length }, () => this.#given(type.ofType as GraphQLInputType, field, depth + 1));
    }
    if (isEnumType(type))
      return this.#happens(0.03) ? 'NO_SUCH_VALUE' : this.#one(type.getValues().map(({ name }) => name));
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields());
      const chosen = type.isOneOf && !this.#happens(0.05) ? [this.#one(fields)] : fields;
      const entries = chosen.map((one) => {
        const value = type.isOneOf
          ? this.#given(one.type, one.name, depth + 1)
          : this.value(one.type, one.name, depth + 1);
        return [one.name, value] as const;
      });
      const given = entries.filter(([, value]) => value !== undefined);
      if (this.#happens(0.01)) given.push(['noSuchField', 1]);
      return Object.fromEntries(given);
    }
    return this.#scalar(type.name, field);
  }

  #scalar(name: string, field: string): unknown {
    const known = this.#known[field];
    if (known && known.length > 0 && this.#happens(0.75)) return this.#one(known);
    switch (name) {
      case 'Int':
      case 'SafeInt':
        return this.#happens(0.8) ? Math.floor(this.#random() * 8) : this.#one(integers);
      case 'Float':
        return this.#happens(0.7) ? this.#random() * 10 : this.#one([...integers, 1e308, -1e-308]);
      case 'Boolean':
        return this.#happens(0.97) ? this.#happens(0.5) : this.#one(anything);
      case 'DateTime':
        return this.#one(times);
      case 'JSON':
        return this.#one(anything);
      default:
        return this.#happens(0.5) ? `v${Math.floor(this.#random() * 1000)}` : this.#one(texts);
    }
  }

  #happens(probability: number): boolean {
    return this.#random() < probability;
  }

  #one<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T;
  }
}
