import type { Policies, Policy } from '@rhizome/authz';
import {
  getDirectiveValues,
  type GraphQLDirective,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import type { EntryPoint } from '../types.js';

/** Root fields of the federation machinery; buildSubgraph itself handles them. */
const machinery = new Set(['Query._service', 'Query._entities']);

/** An element that has, or must have, a policy. */
export type EntryPointDefinition = { readonly name: string; readonly kind: EntryPoint['kind'] } & (
  | { readonly field: GraphQLField<unknown, unknown>; readonly entity?: never }
  | { readonly entity: GraphQLObjectType | GraphQLInterfaceType; readonly field?: never }
);

/** All entry points for callers, and all other fields that have a policy. */
export function findEntryPoints(schema: GraphQLSchema, policies: Policies): EntryPointDefinition[] {
  const roots = new Map<GraphQLNamedType | null | undefined, EntryPoint['kind']>([
    [schema.getQueryType(), 'query'],
    [schema.getMutationType(), 'mutation'],
    [schema.getSubscriptionType(), 'subscription'],
  ]);
  const entryPoints: EntryPointDefinition[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || !(isObjectType(type) || isInterfaceType(type))) continue;
    if (isEntity(type))
      entryPoints.push({ name: `${type.name}.__resolveReference`, kind: 'entity', entity: type });
    if (!isObjectType(type)) continue;
    const root = roots.get(type);
    for (const field of Object.values(type.getFields())) {
      const name = `${type.name}.${field.name}`;
      if (machinery.has(name)) continue;
      if (root) entryPoints.push({ name, kind: root, field });
      else if (name in policies) entryPoints.push({ name, kind: 'field', field });
    }
  }
  return entryPoints;
}

function keysOf(type: GraphQLObjectType | GraphQLInterfaceType) {
  const nodes = [type.astNode, ...type.extensionASTNodes];
  return nodes.flatMap((node) => node?.directives?.filter(({ name }) => name.value === 'key') ?? []);
}

function resolvable(key: ReturnType<typeof keysOf>[number]): boolean {
  const argument = key.arguments?.find(({ name }) => name.value === 'resolvable');
  return !(argument?.value.kind === 'BooleanValue' && !argument.value.value);
}

/** True if other subgraphs may enter by this type: it has a key that is resolvable here. */
function isEntity(type: GraphQLObjectType | GraphQLInterfaceType): boolean {
  return keysOf(type).some(resolvable);
}

/** True if the type only refers to an entity of another subgraph: all its keys are `resolvable: false`. */
export function isEntityReference(type: GraphQLObjectType | GraphQLInterfaceType): boolean {
  const keys = keysOf(type);
  return keys.length > 0 && !keys.some(resolvable);
}

/**
 * Reports entry points without a policy, policies without an entry point, and marks that differ between the
 * SDL and the policies.
 */
export function checkPolicies(
  schema: GraphQLSchema,
  entryPoints: readonly EntryPointDefinition[],
  policies: Policies,
): string[] {
  const faults: string[] = [];
  const names = new Set(entryPoints.map(({ name }) => name));
  for (const name of Object.keys(policies)) {
    if (!names.has(name)) faults.push(`there is a policy for ${name}, which is not in the SDL`);
  }
  const mark = schema.getDirective('perPrincipal');
  for (const entryPoint of entryPoints) {
    const policy = policies[entryPoint.name];
    if (!policy) faults.push(`${entryPoint.name} has no policy; give it one, or { open: '<reason>' }`);
    else faults.push(...checkPolicy(entryPoint, policy, mark ?? undefined));
  }
  return faults;
}

function checkPolicy(
  entryPoint: EntryPointDefinition,
  policy: Policy,
  mark: GraphQLDirective | undefined,
): string[] {
  if ('open' in policy && policy.open !== undefined && policy.open.trim() === '') {
    return [`${entryPoint.name} is open without a reason`];
  }
  // Mutations are never shared, so the mark has no effect on them; a reference resolver has no field to mark.
  if (entryPoint.kind === 'mutation' || entryPoint.kind === 'entity') return [];
  const inSdl = Boolean(
    mark && entryPoint.field?.astNode && getDirectiveValues(mark, entryPoint.field.astNode),
  );
  const inPolicy = policy.perPrincipal ?? false;
  if (inSdl !== inPolicy) {
    const [has, lacks] = inSdl ? ['its SDL', 'its policy'] : ['its policy', 'its SDL'];
    return [`${entryPoint.name} is marked perPrincipal in ${has} but not in ${lacks}`];
  }
  if ('own' in policy && policy.own && !inSdl) {
    return [
      `${entryPoint.name} asks whose it is, so it must be marked perPrincipal in its SDL and its policy`,
    ];
  }
  return [];
}

/** Reports `@resumable` marks that name an argument or a cursor field that does not exist. */
export function checkResumable(schema: GraphQLSchema): string[] {
  const mark = schema.getDirective('resumable');
  const fields = Object.values(schema.getSubscriptionType()?.getFields() ?? {});
  if (!mark) return [];
  return fields.flatMap((field) => {
    const values = field.astNode ? getDirectiveValues(mark, field.astNode) : undefined;
    if (!values) return [];
    const { argument, cursor, latest } = values as {
      argument: string;
      cursor: string;
      latest?: string | null;
    };
    const payload = schema.getType(String(field.type).replaceAll(/[[\]!]/g, ''));
    const faults: string[] = [];
    if (!field.args.some(({ name }) => name === argument)) {
      faults.push(
        `Subscription.${field.name} names "${argument}" as its cursor argument, but has no such argument`,
      );
    }
    if (latest && !field.args.some(({ name }) => name === latest)) {
      faults.push(
        `Subscription.${field.name} names "${latest}" as its argument for slow consumers, but has no such argument`,
      );
    }
    if (!isObjectType(payload) || !(cursor in payload.getFields())) {
      faults.push(
        `Subscription.${field.name} names "${cursor}" as its cursor field, but its events have no such field`,
      );
    }
    return faults;
  });
}
