import { testSubgraph, type TestContext, type TestSubgraph } from '../test-subgraph.js';
import type { AbstractModel, FieldModel, Model, ObjectModel } from './model.js';
import { keyValue, requiredPart, type Thing, thingOf, type Universe } from './universe.js';

/** An object in a subgraph, with required and provided fields. */
interface HeldThing extends Thing {
  readonly $rep?: Readonly<Record<string, unknown>>;
  readonly $provided?: string;
}

type Resolvers = Record<string, Record<string, unknown>>;

/** Calls of mutations counted by request, so that their order is visible in their values. */
export class Counters {
  readonly #counts = new Map<string, number>();

  next(requestId: string): number {
    const count = (this.#counts.get(requestId) ?? 0) + 1;
    this.#counts.set(requestId, count);
    return count;
  }
}

/** The subgraphs of a model, over one universe. */
export function writeSubgraphs(model: Model, universe: Universe): TestSubgraph[] {
  const counters = new Counters();
  return Array.from({ length: model.subgraphs }, (_, subgraph) =>
    new SubgraphWriter(model, universe, counters, subgraph).write(),
  );
}

/** The name of a model's subgraph. */
function subgraphName(index: number): string {
  return `s${index}`;
}

class SubgraphWriter {
  readonly #model: Model;
  readonly #universe: Universe;
  readonly #counters: Counters;
  readonly #index: number;
  readonly #sdl: string[] = [];
  readonly #resolvers: Resolvers = {};

  constructor(model: Model, universe: Universe, counters: Counters, index: number) {
    this.#model = model;
    this.#universe = universe;
    this.#counters = counters;
    this.#index = index;
  }

  write(): TestSubgraph {
    const { objects, abstracts, enums, queries, mutations, subscriptions } = this.#model;
    this.#sdl.push('scalar JSON');
    for (const { name, values, hidden } of enums) {
      const shown = values.map((value) => (value === hidden ? `${value} @inaccessible` : value));
      this.#sdl.push(`enum ${name} { ${shown.join(' ')} }`);
    }
    for (const object of objects) if (object.present.has(this.#index)) this.#object(object);
    for (const abstract of abstracts) this.#abstract(abstract);
    this.#root('Query', queries);
    this.#root('Mutation', mutations);
    this.#root('Subscription', subscriptions);
    return testSubgraph({
      name: subgraphName(this.#index),
      sdl: this.#sdl.join('\n'),
      resolvers: this.#resolvers,
    });
  }

  #object(object: ObjectModel): void {
    const keys = object.present.get(this.#index) ?? [];
    const lines: string[] = [];
    const resolvers: Record<string, unknown> = {};
    for (const name of keyFieldNames(keys)) {
      lines.push(keyFieldSdl(object.name, name));
      resolvers[name] = (thing: HeldThing) => keyValue(thing, name);
    }
    for (const field of object.fields) this.#field(object, field, lines, resolvers);
    if (lines.length === 0) return;
    const interfaces = this.#model.abstracts.filter(
      (one) => object.interfaces.includes(one.name) && one.present.includes(this.#index),
    );
    const parts = [
      `type ${object.name}`,
      interfaces.length > 0 ? `implements ${interfaces.map(({ name }) => name).join(' & ')}` : '',
      ...keys.map((key) => `@key(fields: "${key}")`),
      object.hidden ? '@inaccessible' : '',
    ];
    this.#sdl.push(`${parts.join(' ')} { ${lines.join('\n  ')} }`);
    if (keys.some((key) => key.includes('ref')))
      this.#sdl.push(`type Ref_${object.name} { code: String! @shareable }`);
    if (keys.length > 0) resolvers['__resolveReference'] = referenceResolver(object.name);
    this.#resolvers[object.name] = resolvers;
  }

  #field(object: ObjectModel, field: FieldModel, lines: string[], resolvers: Record<string, unknown>): void {
    const isStrict = field.strictIn?.includes(this.#index) ?? false;
    const declared = `${field.name}${field.args}: ${field.type}${isStrict ? '!' : ''}`;
    if (field.owners.includes(this.#index)) {
      const directives = [
        field.owners.length > 1 ? '@shareable' : '',
        field.requires ? `@requires(fields: "${field.requires.sdl}")` : '',
        field.provides ? `@provides(fields: "${field.provides}")` : '',
        overrideSdl(field),
        field.tag === undefined ? '' : `@tag(name: "${field.tag}")`,
      ];
      lines.push(`${declared} ${directives.join(' ')}`);
      resolvers[field.name] = this.#resolver(undefined, field);
    } else if (field.overridden === this.#index && field.overrideLabel !== undefined) {
      lines.push(declared);
      resolvers[field.name] = this.#resolver(undefined, field);
    } else if (field.overridden === this.#index) {
      lines.push(declared);
      resolvers[field.name] = () => {
        throw new Error(`${object.name}.${field.name} is overridden and must not be asked here`);
      };
    } else if (object.externals.get(this.#index)?.has(field.name)) {
      lines.push(`${declared} @external`);
      resolvers[field.name] = this.#externalResolver(field);
    }
  }

  #abstract(abstract: AbstractModel): void {
    const { name } = abstract;
    if (abstract.kind === 'union') {
      if (!abstract.present.includes(this.#index)) return;
      const members = abstract.members.filter((member) => this.#universe.knows(member, this.#index));
      this.#sdl.push(`union ${name} = ${members.join(' | ')}`);
      return;
    }
    if (abstract.present.includes(this.#index)) {
      const fields = abstract.fields.filter(
        ({ owners }) => owners.length === 0 || owners.includes(this.#index),
      );
      const key = abstract.objectIn === undefined ? '' : '@key(fields: "id")';
      const lines = fields.map((field) => `${field.name}${field.args}: ${field.type}`);
      this.#sdl.push(`interface ${name} ${key} { ${lines.join('\n  ')} }`);
      this.#resolvers[name] = {
        __resolveReference: (rep: Readonly<Record<string, unknown>>) => thingOf(rep),
      };
    }
    if (abstract.objectIn === this.#index) this.#interfaceObject(abstract);
  }

  #interfaceObject({ name, fields }: AbstractModel): void {
    const own = fields.filter(({ owners }) => owners.includes(this.#index));
    const lines = ['id: ID!', ...own.map((field) => `${field.name}${field.args}: ${field.type}`)];
    this.#sdl.push(`type ${name} @key(fields: "id") @interfaceObject { ${lines.join('\n  ')} }`);
    const resolvers: Record<string, unknown> = {
      id: (thing: HeldThing) => thing.$id,
      __resolveReference: async (rep: Readonly<Record<string, unknown>>) => ({
        ...thingOf(rep),
        __typename: name,
      }),
    };
    for (const field of own) resolvers[field.name] = this.#resolver(name, field);
    this.#resolvers[name] = resolvers;
  }

  #resolver(owner: string | undefined, field: FieldModel) {
    return (thing: HeldThing, args: object): unknown => {
      const required = field.requires ? this.#required(thing, field) : undefined;
      const value = this.#universe.resolve(owner ?? thing.__typename, thing, field, args, {
        subgraph: this.#index,
        ...(required ? { required } : {}),
      });
      return field.provides === undefined ? value : withProvided(value, field.provides);
    };
  }

  #required(thing: HeldThing, field: FieldModel): Record<string, unknown> {
    if (!thing.$rep) throw new Error(`${field.name} was asked without what it requires`);
    const required: Record<string, unknown> = {};
    for (const { name, inner } of field.requires?.fields ?? [])
      required[name] = requiredPart(thing.$rep[name], inner);
    return required;
  }

  #externalResolver(field: FieldModel) {
    return (thing: HeldThing): unknown => {
      if (thing.$rep && field.name in thing.$rep) return thing.$rep[field.name];
      if (thing.$provided === field.name) {
        return this.#universe.resolve(thing.__typename, thing, field, {}, { subgraph: this.#index });
      }
      throw new Error(
        `${thing.__typename}.${field.name} is external and was asked where nothing provides it`,
      );
    };
  }

  #root(typeName: 'Query' | 'Mutation' | 'Subscription', fields: readonly FieldModel[]): void {
    const own = fields.filter(({ owners }) => owners.includes(this.#index));
    if (own.length === 0) return;
    this.#sdl.push(
      `type ${typeName} { ${own.map((field) => `${field.name}${field.args}: ${field.type}`).join('\n  ')} }`,
    );
    const resolvers: Record<string, unknown> = {};
    for (const field of own) {
      resolvers[field.name] = rootResolver(typeName, field, this.#universe, this.#index, this.#counters);
    }
    this.#resolvers[typeName] = resolvers;
  }
}

/** The resolver of a root field, for a subgraph and for the schema it is compared with. */
export function rootResolver(
  typeName: 'Query' | 'Mutation' | 'Subscription',
  field: FieldModel,
  universe: Universe,
  subgraph: number,
  counters: Counters,
): unknown {
  const value = (args: object, mark: unknown): unknown =>
    universe.resolve(typeName, undefined, field, mark === undefined ? args : { ...args, mark }, { subgraph });
  if (typeName === 'Query') return (_: unknown, args: object) => value(args, undefined);
  if (typeName === 'Mutation') {
    return (_: unknown, args: object, context: TestContext) => value(args, counters.next(context.requestId));
  }
  return {
    subscribe: async function* () {
      for (let event = 0; event < 3; event++) yield { event };
    },
    resolve: ({ event }: { event: number }, args: object) => value(args, event),
  };
}

function overrideSdl({ overridden, overrideLabel }: FieldModel): string {
  if (overridden === undefined) return '';
  const label = overrideLabel === undefined ? '' : `, label: "${overrideLabel}"`;
  return `@override(from: "${subgraphName(overridden)}"${label})`;
}

function keyFieldNames(keys: readonly string[]): string[] {
  return ['id', 'sku', 'ref'].filter((name) => keys.some((key) => new RegExp(`\\b${name}\\b`).test(key)));
}

function keyFieldSdl(object: string, name: string): string {
  if (name === 'ref') return `ref: Ref_${object}! @shareable`;
  return name === 'sku' ? 'sku: String! @shareable' : 'id: ID! @shareable';
}

function referenceResolver(name: string) {
  return async (rep: Readonly<Record<string, unknown>>): Promise<HeldThing> => {
    const thing = thingOf(rep);
    if (thing.__typename !== name) throw new Error(`asked for ${thing.$id} as a ${name}`);
    return { ...thing, $rep: rep };
  };
}

function withProvided(value: unknown, field: string): unknown {
  if (value instanceof Promise) return value.then((inner: unknown) => withProvided(inner, field));
  if (Array.isArray(value)) return value.map((item) => withProvided(item, field));
  return typeof value === 'object' && value !== null ? { ...value, $provided: field } : value;
}
