import {
  buildASTSchema,
  type DocumentNode,
  GraphQLError,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isAbstractType,
  isObjectType,
  Kind,
  parse,
  parseType,
  responsePathAsArray,
  type TypeNode,
  visit,
} from 'graphql';
import { type FieldModel, type Model, namedType, type ObjectModel } from './model.js';
import type { ReferenceContext } from './sides.js';
import { keyValue, requiredPart, type Thing, type Universe } from './universe.js';
import { Counters, rootResolver } from './write-subgraphs.js';

/**
 * One plain schema with all that clients see of a model: the reference for the engine's answers. `lenient`:
 * every field is nullable, so that no error hides another one; a null in a non-null position is an error at
 * its own path.
 */
export function writeOracle(model: Model, universe: Universe, lenient = false): GraphQLSchema {
  const document = parse(sdlOf(model));
  const schema = buildASTSchema(lenient ? withNulls(document) : document, { assumeValid: true });
  const hiddenValues = new Set(model.enums.flatMap(({ hidden }) => hidden ?? []));
  const hiddenTypes = new Set(model.objects.filter(({ hidden }) => hidden).map(({ name }) => name));
  const shown = (field: FieldModel, value: unknown): unknown => {
    const seen = hide(value, field, hiddenValues, hiddenTypes);
    return lenient ? marked(seen, parseType(field.type)) : seen;
  };
  const counters = new Counters();
  for (const type of Object.values(schema.getTypeMap())) {
    if (isAbstractType(type)) type.resolveType = (value: Thing) => value.__typename;
  }
  for (const object of model.objects) attachObject(schema, model, object, universe, shown);
  for (const [typeName, fields] of [
    ['Query', model.queries],
    ['Mutation', model.mutations],
    ['Subscription', model.subscriptions],
  ] as const) {
    for (const field of fields) attachRoot(schema, typeName, field, universe, counters, shown);
  }
  return schema;
}

function sdlOf(model: Model): string {
  const parts = ['scalar JSON'];
  for (const { name, values, hidden } of model.enums) {
    parts.push(`enum ${name} { ${values.filter((value) => value !== hidden).join(' ')} }`);
  }
  for (const object of model.objects) {
    if (object.hidden) continue;
    const fields = fieldsOf(model, object).map(sdlOfField);
    const keys = keysOf(object);
    const lines = [...keys.map((key) => keySdl(object, key)), ...fields];
    const implemented = object.interfaces.length > 0 ? `implements ${object.interfaces.join(' & ')}` : '';
    parts.push(`type ${object.name} ${implemented} { ${lines.join('\n')} }`);
    if (keys.includes('ref')) parts.push(`type Ref_${object.name} { code: String! }`);
  }
  for (const { kind, name, members, fields, present } of model.abstracts) {
    const visible = members.filter((member) =>
      model.objects.some(
        (one) => one.name === member && !one.hidden && present.some((subgraph) => one.present.has(subgraph)),
      ),
    );
    if (kind === 'union') parts.push(`union ${name} = ${visible.join(' | ')}`);
    else parts.push(`interface ${name} { ${fields.map(sdlOfField).join('\n')} }`);
  }
  for (const [name, fields] of [
    ['Query', model.queries],
    ['Mutation', model.mutations],
    ['Subscription', model.subscriptions],
  ] as const) {
    if (fields.length > 0) parts.push(`type ${name} { ${fields.map(sdlOfField).join('\n')} }`);
  }
  return parts.join('\n');
}

function sdlOfField({ name, args, type }: FieldModel): string {
  return `${name}${args}: ${type}`;
}

/** An object's own fields and those that interface objects add. */
function fieldsOf(model: Model, object: ObjectModel): FieldModel[] {
  return [...object.fields, ...addedFields(model, object).map(({ field }) => field)];
}

function addedFields(model: Model, object: ObjectModel): { owner: string; field: FieldModel }[] {
  return model.abstracts.flatMap((abstract) =>
    abstract.kind === 'interface' && object.interfaces.includes(abstract.name)
      ? abstract.fields
          .filter(({ owners }) => abstract.objectIn !== undefined && owners.includes(abstract.objectIn))
          .map((field) => ({ owner: abstract.name, field }))
      : [],
  );
}

function keysOf(object: ObjectModel): string[] {
  const keys = [...object.present.values()].flat();
  return ['id', 'sku', 'ref'].filter((name) => keys.some((key) => new RegExp(`\\b${name}\\b`).test(key)));
}

function keySdl(object: ObjectModel, key: string): string {
  if (key === 'ref') return `ref: Ref_${object.name}!`;
  return key === 'sku' ? 'sku: String!' : 'id: ID!';
}

type Shown = (field: FieldModel, value: unknown) => unknown;

function attachObject(
  schema: GraphQLSchema,
  model: Model,
  object: ObjectModel,
  universe: Universe,
  shown: Shown,
): void {
  const type = schema.getType(object.name);
  if (!isObjectType(type)) return;
  const fields = type.getFields();
  for (const key of keysOf(object)) {
    const field = fields[key];
    if (field) field.resolve = (thing: Thing) => keyValue(thing, key);
  }
  const own = object.fields.map((field) => ({ owner: undefined, field }));
  for (const { owner, field } of [...own, ...addedFields(model, object)]) {
    const target = fields[field.name];
    if (!target) continue;
    const [subgraph = 0] = field.owners;
    target.resolve = async (thing: Thing, args: object, context: ReferenceContext, info) => {
      await inTurn(context, info);
      const required = field.requires ? await requiredOf(model, object, thing, field, universe) : undefined;
      const situation = required ? { subgraph, required } : { subgraph };
      return shown(field, await universe.resolve(owner ?? thing.__typename, thing, field, args, situation));
    };
  }
}

async function requiredOf(
  model: Model,
  object: ObjectModel,
  thing: Thing,
  field: FieldModel,
  universe: Universe,
): Promise<Record<string, unknown>> {
  const required: Record<string, unknown> = {};
  for (const { name, args, inner } of field.requires?.fields ?? []) {
    const source = object.fields.find((one) => one.name === name);
    if (!source) throw new Error(`no field ${name}`);
    const [subgraph = 0] = source.owners;
    const value = await universe.resolve(thing.__typename, thing, source, args, { subgraph });
    required[name] = requiredPart(await spread(model, value, inner, universe, subgraph), inner);
  }
  return required;
}

/** The fields of required objects. */
async function spread(
  model: Model,
  value: unknown,
  inner: readonly string[] | undefined,
  universe: Universe,
  subgraph: number,
): Promise<unknown> {
  if (!inner || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    return Promise.all(value.map((item) => spread(model, item, inner, universe, subgraph)));
  }
  const thing = value as Thing;
  const type = model.objects.find(({ name }) => name === thing.__typename);
  const entries = inner.map(async (name) => {
    const field = type?.fields.find((one) => one.name === name);
    return [
      name,
      field && (await universe.resolve(thing.__typename, thing, field, {}, { subgraph })),
    ] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function attachRoot(
  schema: GraphQLSchema,
  typeName: 'Query' | 'Mutation' | 'Subscription',
  field: FieldModel,
  universe: Universe,
  counters: Counters,
  shown: Shown,
): void {
  const type = schema.getType(typeName);
  const target = isObjectType(type) ? type.getFields()[field.name] : undefined;
  if (!target) return;
  const [subgraph = 0] = field.owners;
  const made = rootResolver(typeName, field, universe, subgraph, counters);
  const pair = made as { subscribe?: typeof target.subscribe; resolve?: typeof target.resolve };
  const resolve = (pair.resolve ?? made) as NonNullable<typeof target.resolve>;
  if (pair.subscribe) target.subscribe = pair.subscribe;
  target.resolve = async (source, args, context: ReferenceContext, info) => {
    await inTurn(context, info);
    return shown(field, await resolve(source, args as object, context, info));
  };
}

/** Waits until it is a field's turn, if the order matters. */
function inTurn({ before }: ReferenceContext, { path }: GraphQLResolveInfo): Promise<void> | undefined {
  return before?.(responsePathAsArray(path));
}

/** Replaces values that composition hides by null. */
function hide(
  value: unknown,
  field: FieldModel,
  hiddenValues: ReadonlySet<string>,
  hiddenTypes: ReadonlySet<string>,
): unknown {
  if (Array.isArray(value)) return value.map((item) => hide(item, field, hiddenValues, hiddenTypes));
  if (namedType(field.type) === 'Kind') return hiddenValues.has(value as string) ? null : value;
  if (typeof value === 'object' && value !== null && hiddenTypes.has((value as Thing).__typename))
    return null;
  return value;
}

/** The same fields, all of which may be null. */
function withNulls(document: DocumentNode): DocumentNode {
  return visit(document, {
    FieldDefinition: (field) => ({ ...field, type: withoutNonNull(field.type) }),
  });
}

function withoutNonNull(type: TypeNode): TypeNode {
  if (type.kind === Kind.NON_NULL_TYPE) return withoutNonNull(type.type);
  return type.kind === Kind.LIST_TYPE ? { ...type, type: withoutNonNull(type.type) } : type;
}

/** Errors for nulls in non-null positions: graphql-js reports them at their paths. */
function marked(value: unknown, type: TypeNode): unknown {
  if (type.kind === Kind.NON_NULL_TYPE)
    return value === null ? new GraphQLError('null where none may be') : marked(value, type.type);
  if (type.kind === Kind.LIST_TYPE && Array.isArray(value))
    return value.map((item) => marked(item, type.type));
  return value;
}
