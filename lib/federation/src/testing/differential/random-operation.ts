import {
  getNamedType,
  type GraphQLAbstractType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  parse,
  validate,
} from 'graphql';
import { Random } from './random.js';

/** A client's operation with its variables. */
export interface RandomOperation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * Selections that are more frequent than by chance. `required`: a field that requires another one with
 * arguments, next to the other one without, under the key that the required one would have.
 */
export type Emphasis = 'required';

/** Creates a valid random operation, or undefined if none was found in a few attempts. */
export function randomOperation(
  schema: GraphQLSchema,
  kind: 'query' | 'mutation' | 'subscription',
  seed: string,
  emphasis?: Emphasis,
): RandomOperation | undefined {
  for (let attempt = 0; attempt < 8; attempt++) {
    const operation = new OperationMaker(schema, `${seed}:${attempt}`, emphasis).make(kind);
    if (!operation) return undefined;
    if (validate(schema, parse(operation.query)).length === 0) return operation;
  }
  return undefined;
}

const maxDepth = 5;
const maxFields = 60;

class OperationMaker {
  readonly #schema: GraphQLSchema;
  readonly #random: Random;
  readonly #variables = new Map<string, { type: string; value: unknown; fallback?: string }>();
  readonly #fragments = new Map<string, string>();
  readonly #emphasis: Emphasis | undefined;
  #fields = 0;

  constructor(schema: GraphQLSchema, seed: string, emphasis?: Emphasis) {
    this.#emphasis = emphasis;
    this.#schema = schema;
    this.#random = new Random(`operation:${seed}`);
  }

  make(kind: 'query' | 'mutation' | 'subscription'): RandomOperation | undefined {
    const root = this.#schema.getRootType(kind as Parameters<GraphQLSchema['getRootType']>[0]);
    if (!root || Object.keys(root.getFields()).length === 0) return undefined;
    const body = kind === 'subscription' ? this.#one(root) : this.#selections(root, 0, kind === 'query');
    const declared = [...this.#variables].map(
      ([name, { type, fallback }]) => `$${name}: ${type}${fallback === undefined ? '' : ` = ${fallback}`}`,
    );
    const head = `${kind} Op${declared.length > 0 ? `(${declared.join(', ')})` : ''}`;
    const variables: Record<string, unknown> = {};
    for (const [name, { value }] of this.#variables) if (value !== undefined) variables[name] = value;
    return { query: [`${head} ${body}`, ...this.#fragments.values()].join('\n'), variables };
  }

  /** A subscription has exactly one root field. */
  #one(root: GraphQLNamedType): string {
    const fields = isObjectType(root) ? Object.values(root.getFields()) : [];
    return `{ ${this.#field(this.#random.pick(fields), 0, false)} }`;
  }

  #selections(type: GraphQLNamedType, depth: number, isQueryRoot = false): string {
    const random = this.#random;
    const parts: string[] = [];
    for (let count = random.int(1, 4); count > 0; count--) {
      const part = this.#selection(type, depth, isQueryRoot);
      if (part !== undefined) parts.push(part);
    }
    if (parts.length === 0) parts.push('__typename');
    return `{ ${parts.join(' ')} }`;
  }

  #selection(type: GraphQLNamedType, depth: number, isQueryRoot: boolean): string | undefined {
    const random = this.#random;
    if (random.chance(0.08)) return `${random.chance(0.3) ? 't: ' : ''}__typename${this.#condition()}`;
    if (isQueryRoot && random.chance(0.05)) {
      return random.pick(['__schema { queryType { name } }', 'x: __type(name: "E0") { name kind }']);
    }
    if (isAbstractType(type) && random.chance(0.15)) return this.#commonOfAll(type);
    const wantsFragment = isAbstractType(type) ? 0.55 : 0.15;
    if (random.chance(wantsFragment)) return this.#fragment(type, depth);
    if (!isObjectType(type) && !isInterfaceType(type)) return '__typename';
    const fields = Object.values(type.getFields()).filter(
      (field) => depth < maxDepth || !isCompositeType(getNamedType(field.type)),
    );
    if (fields.length === 0 || this.#fields > maxFields) return undefined;
    if (this.#emphasis === 'required' && random.chance(0.7)) {
      const pair = this.#requiredPair(Object.values(type.getFields()));
      if (pair) return pair;
    }
    // The one field that many types share, under its own name: keys meet in fragments of several types.
    if (random.chance(0.25) && fields.some(({ name }) => name === 'common')) return 'common';
    return this.#field(random.pick(fields), depth, true);
  }

  /** A field that requires others (`r…`) next to one that others require (`y…`), both without arguments. */
  #requiredPair(fields: readonly GraphQLField<unknown, unknown>[]): string | undefined {
    const random = this.#random;
    const needing = fields.filter(({ name }) => /^r\d/.test(name));
    const needed = fields.filter(({ name, args }) => /^y\d/.test(name) && args.length > 0);
    if (needing.length === 0 || needed.length === 0) return undefined;
    const { name, type } = random.pick(needed);
    return `${name}${isCompositeType(getNamedType(type)) ? ' { p }' : ''} ${random.pick(needing).name}`;
  }

  /** The same key in a fragment for each type that has the field. */
  #commonOfAll(type: GraphQLAbstractType): string {
    const members = this.#schema.getPossibleTypes(type).filter((member) => 'common' in member.getFields());
    return ['__typename', ...members.map(({ name }) => `... on ${name} { common }`)].join(' ');
  }

  #fragment(type: GraphQLNamedType, depth: number): string | undefined {
    const random = this.#random;
    if (depth > maxDepth || this.#fields > maxFields) return undefined;
    const possible = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [];
    const wider = Object.values(this.#schema.getTypeMap()).filter(
      (other) =>
        isAbstractType(other) &&
        (isObjectType(type)
          ? this.#schema.isSubType(other, type)
          : this.#schema.getPossibleTypes(other).some((one) => possible.includes(one))),
    );
    const targets = [type, ...possible, ...possible, ...wider];
    const target = random.pick(targets);
    const body = this.#selections(target, depth + 1);
    if (random.chance(0.25)) {
      const name = `F${this.#fragments.size}`;
      this.#fragments.set(name, `fragment ${name} on ${target.name} ${body}`);
      return `...${name}${this.#condition()}`;
    }
    const condition = target === type && random.chance(0.4) ? '' : ` on ${target.name}`;
    return `...${condition}${this.#condition()} ${body}`;
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number, conditional: boolean): string {
    this.#fields++;
    const args = field.args.flatMap((argument) => this.#argument(argument) ?? []);
    // Equal keys must have equal arguments: most fields get a key of their own, and some a short one that may
    // clash.
    const random = this.#random;
    const alias =
      args.length > 0 || random.chance(0.2) ? `${random.pick(['a', 'b', 'c'])}${random.int(0, 9)}: ` : '';
    const head = `${alias}${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}${conditional ? this.#condition() : ''}`;
    const type = getNamedType(field.type);
    return isCompositeType(type) ? `${head} ${this.#selections(type, depth + 1)}` : head;
  }

  #condition(): string {
    const random = this.#random;
    if (!random.chance(0.12)) return '';
    const directive = random.pick(['skip', 'include']);
    if (random.chance(0.15)) return ` @${directive}(if: ${random.chance(0.5)})`;
    const name = random.pick(['x', 'y', 'z']);
    if (!this.#variables.has(name)) {
      const withDefault = random.chance(0.3);
      this.#variables.set(name, {
        type: withDefault ? 'Boolean' : 'Boolean!',
        value: withDefault && random.chance(0.5) ? undefined : random.chance(0.5),
        ...(withDefault ? { fallback: String(random.chance(0.5)) } : {}),
      });
    }
    // A nullable variable with a default is allowed in a non-null position.
    return ` @${directive}(if: $${name})`;
  }

  #argument(argument: GraphQLArgument): string | undefined {
    const random = this.#random;
    if (!isRequiredArgument(argument) && random.chance(0.3)) return undefined;
    const value = this.#valueFor(argument);
    if (random.chance(0.5)) {
      const name = `v${this.#variables.size}`;
      const omit = !isNonNullType(argument.type) && random.chance(0.2);
      this.#variables.set(name, { type: String(argument.type), value: omit ? undefined : value });
      return `${argument.name}: $${name}`;
    }
    const literal = typeof value === 'string' && argument.name === 'b' ? value : JSON.stringify(value);
    return `${argument.name}: ${literal}`;
  }

  #valueFor(argument: GraphQLArgument): unknown {
    const random = this.#random;
    if (!isNonNullType(argument.type) && random.chance(0.1)) return null;
    switch (argument.name) {
      case 'b':
        return random.pick(['RED', 'GREEN']);
      case 'c':
        return random.pick([[], ['one'], ['a "quote"', 'two']]);
      default:
        return random.int(-3, 30);
    }
  }
}
