import { type FieldModel, isLeafType, type ObjectModel } from './model.js';
import type { Random } from './random.js';

/** Creates fields that require others, provide others or take others over, for objects with fields. */
export class NeedsMaker {
  readonly #random: Random;
  readonly #objects: ObjectModel[];
  readonly #name: (prefix: string) => string;

  /** `objects`: all types of the model, to which value types are added. `name`: returns an unused name. */
  constructor(random: Random, objects: ObjectModel[], name: (prefix: string) => string) {
    this.#random = random;
    this.#objects = objects;
    this.#name = name;
  }

  /** `@requires` and `@provides`. */
  needy(object: ObjectModel): void {
    const random = this.#random;
    if (object.kind !== 'entity') return;
    for (const [subgraph] of object.present) {
      if (!random.chance(0.4)) continue;
      const foreign = object.fields.filter((field) => isSteadyLeaf(field, subgraph));
      const source =
        foreign.length > 0 && random.chance(0.5)
          ? { field: random.pick(foreign), args: {}, inner: undefined }
          : this.#source(object, subgraph);
      if (!source) continue;
      const { field, args, inner } = source;
      markExternal(object, subgraph, field.name);
      object.fields.push({
        name: this.#name('r'),
        type: random.pick(['String', 'String', '[String]']),
        args: random.chance(0.2) ? '(a: Int)' : '',
        owners: [subgraph],
        requires: { sdl: requiredSdl(field.name, args, inner), fields: [{ name: field.name, args, inner }] },
        steady: random.chance(0.3),
      });
    }
    if (random.chance(0.3)) this.#providing(object);
  }

  /** A new field of another subgraph that never fails, so that it can be required. */
  #source(
    object: ObjectModel,
    subgraph: number,
  ): { field: FieldModel; args: Record<string, unknown>; inner: readonly string[] | undefined } | undefined {
    const random = this.#random;
    const others = [...object.present.keys()].filter((other) => other !== subgraph);
    if (others.length === 0) return undefined;
    const owner = random.pick(others);
    const isNested = random.chance(0.3);
    const hasArgs = random.chance(0.3);
    const type = isNested
      ? random.pick(['T', '[T!]', '[T]']).replace('T', this.#steadyValue(owner, subgraph))
      : random.pick(['Int', 'String', '[Int]', 'Boolean', 'Kind']);
    const field: FieldModel = {
      name: this.#name('y'),
      type,
      args: hasArgs ? '(a: Int)' : '',
      owners: [owner],
      steady: true,
    };
    object.fields.push(field);
    return { field, args: hasArgs ? { a: random.int(1, 9) } : {}, inner: isNested ? ['q', 'p'] : undefined };
  }

  /** A value type of two subgraphs whose fields never fail. */
  #steadyValue(one: number, other: number): string {
    const name = `W${this.#objects.length}`;
    const owners = [one, other];
    const field = (fieldName: string, type: string): FieldModel => ({
      name: fieldName,
      type,
      args: '',
      owners,
      steady: true,
    });
    this.#objects.push({
      kind: 'value',
      name,
      fields: [field('p', 'Int'), field('q', '[String]')],
      present: new Map(owners.map((subgraph) => [subgraph, []])),
      interfaces: [],
      externals: new Map(),
      hidden: false,
    });
    return name;
  }

  #providing(object: ObjectModel): void {
    const random = this.#random;
    for (const [subgraph] of object.present) {
      const field = object.fields.find((one) => isSteadyLeaf(one, subgraph));
      if (!field || object.externals.get(subgraph)?.has(field.name)) continue;
      const holder = this.#objects.find(
        (one) => one.kind === 'entity' && one !== object && one.present.has(subgraph) && random.chance(0.5),
      );
      if (!holder) continue;
      markExternal(object, subgraph, field.name);
      holder.fields.push({
        name: this.#name('p'),
        type: random.pick(['T', '[T!]']).replace('T', object.name),
        args: '',
        owners: [subgraph],
        provides: field.name,
        steady: false,
      });
      return;
    }
  }

  /** Overrides, some by percentage. */
  overrides(object: ObjectModel): void {
    if (object.kind !== 'entity') return;
    for (const [index, field] of object.fields.entries()) {
      const [owner] = field.owners;
      if (owner === undefined || field.owners.length > 1 || field.requires || field.provides) continue;
      if (field.name === 'common') continue;
      if (object.interfaces.length > 0 || !isLeafType(field.type) || !this.#random.chance(0.15)) continue;
      const from = [...object.present.keys()].find(
        (subgraph) => subgraph !== owner && !object.externals.get(subgraph)?.has(field.name),
      );
      if (from === undefined) continue;
      const overrideLabel = this.#random.chance(0.6) ? `percent(${this.#random.int(0, 100)})` : undefined;
      object.fields[index] = { ...field, overridden: from, overrideLabel };
    }
  }
}

function requiredSdl(
  name: string,
  args: Readonly<Record<string, unknown>>,
  inner: readonly string[] | undefined,
): string {
  const given = Object.entries(args).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  const list = given.length > 0 ? `(${given.join(', ')})` : '';
  return `${name}${list}${inner ? ` { ${inner.join(' ')} }` : ''}`;
}

function markExternal(object: ObjectModel, subgraph: number, field: string): void {
  const known = object.externals.get(subgraph);
  if (known) known.add(field);
  else object.externals.set(subgraph, new Set([field]));
}

function isSteadyLeaf(field: FieldModel, notOf: number): boolean {
  return (
    field.steady &&
    !field.requires &&
    !field.owners.includes(notOf) &&
    field.args === '' &&
    isLeafType(field.type)
  );
}
