import { Random } from './random.js';

/** One field of a model: who answers it and how. */
export interface FieldModel {
  readonly name: string;
  /** The type as SDL. */
  readonly type: string;
  /** Arguments as SDL, with parentheses, or empty. */
  readonly args: string;
  /** Subgraphs that answer it: several for shareable ones. */
  readonly owners: readonly number[];
  /** Set of fields of the same entity that its subgraph has to be sent. */
  readonly requires?: RequiredSet | undefined;
  /** Names of external fields of the returned entity that come along. */
  readonly provides?: string | undefined;
  /** The subgraph that thinks it owns the field but does not. */
  readonly overridden?: number | undefined;
  /** The label of a progressive override: either side may be asked then. */
  readonly overrideLabel?: string | undefined;
  readonly tag?: string | undefined;
  /** Never throws and never violates its type: others depend on it. */
  readonly steady: boolean;
  /** Owners whose own schema does not allow null where the public one does. */
  readonly strictIn?: readonly number[] | undefined;
}

/** One field that a `@requires` names. */
export interface RequiredField {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Fields of the objects it gives; undefined for leaves. */
  readonly inner: readonly string[] | undefined;
}

/** Fields that a `@requires` names, as SDL and as a tree of keys. */
export interface RequiredSet {
  readonly sdl: string;
  readonly fields: readonly RequiredField[];
}

/** A type with fields. */
export interface ObjectModel {
  readonly kind: 'entity' | 'value';
  readonly name: string;
  readonly fields: FieldModel[];
  /** Subgraphs that know the type, and by which keys. */
  readonly present: Map<number, string[]>;
  readonly interfaces: string[];
  /** External fields that subgraphs declare without owning them. */
  readonly externals: Map<number, Set<string>>;
  readonly hidden: boolean;
}

/** An interface or union. */
export interface AbstractModel {
  readonly kind: 'interface' | 'union';
  readonly name: string;
  readonly present: readonly number[];
  readonly members: readonly string[];
  readonly fields: FieldModel[];
  /** The subgraph where it is an interface object, with fields of its own. */
  readonly objectIn?: number | undefined;
}

export interface EnumModel {
  readonly name: string;
  readonly values: readonly string[];
  /** A value that clients cannot see. */
  readonly hidden: string | undefined;
}

/** A supergraph before it is written down: from it come the subgraphs and the schema that they are compared with. */
export interface Model {
  readonly seed: string;
  readonly subgraphs: number;
  readonly objects: readonly ObjectModel[];
  readonly abstracts: readonly AbstractModel[];
  readonly enums: readonly EnumModel[];
  readonly queries: readonly FieldModel[];
  readonly mutations: readonly FieldModel[];
  readonly subscriptions: readonly FieldModel[];
}

/** Makes a random model. Not every model composes; whoever composes takes the next seed then. */
export function randomModel(seed: string): Model {
  return new ModelMaker(seed).make();
}

const wrappers = ['T', 'T', 'T!', '[T]', '[T!]', '[T!]!', '[T]!', '[[T!]]', '[[T]!]!'];
const scalars = ['Int', 'String', 'Float', 'Boolean', 'ID', 'JSON'];

class ModelMaker {
  readonly #random: Random;
  readonly #seed: string;
  readonly #subgraphs: number;
  readonly #objects: ObjectModel[] = [];
  readonly #abstracts: AbstractModel[] = [];
  readonly #enums: EnumModel[] = [];
  #names = 0;

  constructor(seed: string) {
    this.#seed = seed;
    this.#random = new Random(`model:${seed}`);
    this.#subgraphs = this.#random.int(2, 6);
  }

  make(): Model {
    const random = this.#random;
    this.#enums.push({
      name: 'Kind',
      values: ['RED', 'GREEN', 'BLUE'],
      hidden: random.chance(0.4) ? 'BLUE' : undefined,
    });
    for (let index = random.int(2, 4); index > 0; index--) this.#entity();
    for (let index = random.int(1, 3); index > 0; index--) this.#value();
    this.#unions();
    this.#interfaces();
    for (const object of this.#objects) this.#fill(object);
    for (const abstract of this.#abstracts) this.#disagree(abstract);
    for (const object of [...this.#objects]) this.#needy(object);
    for (const object of this.#objects) this.#overrides(object);
    return {
      seed: this.#seed,
      subgraphs: this.#subgraphs,
      objects: this.#objects,
      abstracts: this.#abstracts,
      enums: this.#enums,
      queries: this.#roots('q', 1, 2),
      mutations: random.chance(0.6) ? this.#roots('m', 0, 2) : [],
      subscriptions: random.chance(0.3) ? this.#roots('s', 0, 1) : [],
    };
  }

  #all(): number[] {
    return Array.from({ length: this.#subgraphs }, (_, index) => index);
  }

  #entity(): void {
    const random = this.#random;
    const name = `E${this.#objects.length}`;
    const present = new Map<number, string[]>();
    const everywhere = random.shuffled(this.#all()).slice(0, random.int(1, Math.min(4, this.#subgraphs)));
    const style = random.pick(['id', 'id', 'id', 'chain', 'both', 'nested'] as const);
    for (const [position, subgraph] of everywhere.entries()) {
      if (style === 'id') present.set(subgraph, ['id']);
      else if (style === 'both') present.set(subgraph, random.pick([['id'], ['id', 'sku'], ['id sku']]));
      else if (style === 'nested')
        present.set(
          subgraph,
          position === 0 ? ['id', 'ref { code }'] : random.pick([['id'], ['ref { code }']]),
        );
      else present.set(subgraph, position === 0 ? ['id', 'sku'] : random.pick([['id'], ['sku']]));
    }
    if (style === 'both' && everywhere[0] !== undefined) present.set(everywhere[0], ['id', 'sku', 'id sku']);
    this.#objects.push({
      kind: 'entity',
      name,
      fields: [],
      present,
      interfaces: [],
      externals: new Map(),
      hidden: false,
    });
  }

  #value(): void {
    const random = this.#random;
    const name = `V${this.#objects.length}`;
    const present = new Map(
      random
        .shuffled(this.#all())
        .slice(0, random.int(1, 2))
        .map((subgraph) => [subgraph, []]),
    );
    const hidden = random.chance(0.1);
    this.#objects.push({
      kind: 'value',
      name,
      fields: [],
      present,
      interfaces: [],
      externals: new Map(),
      hidden,
    });
  }

  #unions(): void {
    const random = this.#random;
    for (let index = random.int(0, 2); index > 0; index--) {
      const members = random.shuffled(this.#objects).slice(0, random.int(1, 4));
      const visible = members.filter(({ hidden }) => !hidden);
      if (visible.length === 0) continue;
      const present = this.#all().filter((subgraph) =>
        visible.some((member) => member.present.has(subgraph)),
      );
      this.#abstracts.push({
        kind: 'union',
        name: `U${index}`,
        present: present.slice(0, 2),
        members: members.map(({ name }) => name),
        fields: [],
      });
    }
  }

  #interfaces(): void {
    const random = this.#random;
    for (let index = random.int(0, 2); index > 0; index--) {
      const home = random.pick(this.#all());
      const candidates = this.#objects.filter(
        ({ kind, hidden, name }) => kind === 'entity' && !hidden && !this.#isBehindInterface(name, home),
      );
      const members = random.shuffled(candidates).slice(0, random.int(1, 3));
      if (members.length === 0) continue;
      // An interface's home knows all of its types by a common key.
      for (const member of members) this.#addKey(member, home, 'id');
      const objectIn = random.chance(0.6)
        ? this.#all().find((subgraph) => members.every((member) => !member.present.has(subgraph)))
        : undefined;
      const name = `I${index}`;
      const fields: FieldModel[] = [this.#keyField('id', [])];
      for (let count = random.int(0, 2); count > 0; count--) {
        const field = this.#field(home, 'i');
        fields.push(field);
        for (const member of members) member.fields.push(field);
      }
      if (objectIn !== undefined) {
        for (let count = random.int(1, 2); count > 0; count--) fields.push(this.#scalarField(objectIn, 'o'));
      }
      for (const member of members) member.interfaces.push(name);
      this.#abstracts.push({
        kind: 'interface',
        name,
        present: [home],
        members: members.map((member) => member.name),
        fields,
        objectIn,
      });
    }
  }

  #addKey(object: ObjectModel, subgraph: number, key: string): void {
    const keys = object.present.get(subgraph);
    if (!keys) object.present.set(subgraph, [key]);
    else if (!keys.includes(key)) keys.push(key);
  }

  #keyField(name: string, owners: readonly number[]): FieldModel {
    return { name, type: 'ID!', args: '', owners, steady: true };
  }

  #fill(object: ObjectModel): void {
    const random = this.#random;
    const subgraphs = [...object.present.keys()];
    if (object.kind === 'value') {
      // Several owners must agree on all of a value type.
      for (let count = random.int(1, 3); count > 0; count--) {
        const field =
          subgraphs.length === 1 && subgraphs[0] !== undefined && random.chance(0.6)
            ? this.#field(subgraphs[0], 'v')
            : this.#scalarField(subgraphs[0] ?? 0, 'v');
        object.fields.push({ ...field, owners: subgraphs });
      }
      return;
    }
    for (const subgraph of subgraphs) {
      for (let count = random.int(0, 4); count > 0; count--) object.fields.push(this.#field(subgraph, 'f'));
    }
    this.#common(object, subgraphs);
    if (subgraphs.length > 1 && random.chance(0.5)) {
      object.fields.push({ ...this.#scalarField(0, 'sh'), owners: random.shuffled(subgraphs).slice(0, 2) });
    }
  }

  /** A field of the same name in many types, on which the subgraphs do not agree whether it may be null. */
  #common(object: ObjectModel, subgraphs: readonly number[]): void {
    const random = this.#random;
    if (!random.chance(0.7)) return;
    const owners = random.shuffled(subgraphs).slice(0, 2);
    const strictIn = owners.length > 1 && random.chance(0.5) ? owners.slice(0, 1) : [];
    object.fields.push({ name: 'common', type: 'Int', args: '', owners, steady: true, strictIn });
  }

  /** In one subgraph, members of an abstract type differ in whether the field that they share may be null. */
  #disagree({ members, present }: AbstractModel): void {
    const [home] = present;
    if (home === undefined || !this.#random.chance(0.6)) return;
    const sharing = members
      .map((member) => this.#objects.find(({ name }) => name === member))
      .filter((object) => object !== undefined && object.present.has(home) && object.present.size > 1);
    for (const [index, object] of sharing.entries()) {
      const other = [...(object?.present.keys() ?? [])].find((subgraph) => subgraph !== home);
      if (!object || other === undefined) continue;
      const kept = object.fields.filter(({ name }) => name !== 'common');
      object.fields.splice(0, object.fields.length, ...kept, {
        name: 'common',
        type: 'Int',
        args: '',
        owners: [home, other],
        steady: true,
        strictIn: index % 2 === 0 ? [home] : [],
      });
    }
  }

  #scalarField(owner: number, prefix: string): FieldModel {
    const random = this.#random;
    const type = random.pick(wrappers).replace('T', random.chance(0.15) ? 'Kind' : random.pick(scalars));
    const tag = random.chance(0.1) ? random.pick(['internal', 'beta']) : undefined;
    return { name: this.#name(prefix), type, args: this.#args(), owners: [owner], steady: false, tag };
  }

  #field(owner: number, prefix: string): FieldModel {
    const random = this.#random;
    if (random.chance(0.45)) return this.#scalarField(owner, prefix);
    const composites = [
      ...this.#objects.filter((object) => object.kind === 'entity' || object.present.has(owner)),
      ...this.#abstracts.filter((type) => type.present.includes(owner)),
    ].filter((type) => !('hidden' in type && type.hidden) && !this.#isBehindInterface(type.name, owner));
    if (composites.length === 0) return this.#scalarField(owner, prefix);
    const target = random.pick(composites);
    if (target.kind === 'entity' && !target.present.has(owner)) this.#stub(target, owner);
    const type = random.pick(wrappers).replace('T', target.name);
    return {
      name: this.#name(prefix),
      type,
      args: random.chance(0.3) ? this.#args() : '',
      owners: [owner],
      steady: false,
    };
  }

  /** A subgraph that has an interface as an object must not know its types. */
  #isBehindInterface(name: string, subgraph: number): boolean {
    return this.#abstracts.some((one) => one.objectIn === subgraph && one.members.includes(name));
  }

  /** A subgraph that only refers to an entity. */
  #stub(entity: ObjectModel, subgraph: number): void {
    const keys = [...entity.present.values()].flat();
    this.#addKey(entity, subgraph, this.#random.pick(keys));
  }

  #args(): string {
    return this.#random.chance(0.75)
      ? ''
      : this.#random.pick([
          '(a: Int)',
          '(a: Int = 7)',
          '(a: Int!, b: Kind)',
          '(c: [String!])',
          '(w: Int = 1, b: Kind = RED)',
        ]);
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  /** `@requires` and `@provides`. */
  #needy(object: ObjectModel): void {
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

  #overrides(object: ObjectModel): void {
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

  #roots(prefix: string, low: number, high: number): FieldModel[] {
    return this.#all().flatMap((subgraph) =>
      Array.from({ length: this.#random.int(low, high) }, () => this.#field(subgraph, prefix)),
    );
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

function isLeafType(type: string): boolean {
  return [...scalars, 'Kind'].includes(namedType(type));
}

/** The type's name without wrappers. */
export function namedType(type: string): string {
  return type.replace(/[[\]!]/g, '');
}
